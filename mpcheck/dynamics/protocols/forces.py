"""What moves the atoms: MACE's own calculator around a model with a policy, as its users have it."""

from __future__ import annotations

from typing import Any

import torch
from ase import Atoms

from mpcheck.adapters.calculator import calculator, model_type_of
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.systems.inputs import HEAD, values_of

WARM = 3
"""Calls before the first that counts: TorchScript compiles in the first two, and what it runs then may round otherwise, so that a run that is
gone on with in another process would not be the same to the bit."""


def forces_of(model: PolicyModel, device: torch.device, frame: Atoms) -> Any:
    """An ASE calculator.

    Args:
        model: with its policy, on the device. frame: the structure that it is for, whose head, charge and whatever else it brings reach the model,
            see :mod:`mpcheck.systems.inputs`.

    Raises:
        BaseException: whatever upstream raises.
    """
    options: dict[str, Any] = {"head": frame.info[HEAD]} if HEAD in frame.info else {}
    by_atom = {name: name for name in values_of(frame) if name in frame.arrays}
    options |= {"info_keys": {name: name for name in frame.info if name != HEAD}, "arrays_keys": by_atom}
    dtype = str(model.inputs.dtype).removeprefix("torch.")
    return calculator([model], device=device, model_type=model_type_of(model.model), default_dtype=dtype, **options)


def warmed(atoms: Atoms) -> None:
    """Make the calls in which things are compiled; the atoms stay where they are.

    Raises:
        BaseException: whatever the model raises.
    """
    for _ in range(WARM):
        atoms.calc.reset()
        atoms.get_forces()
