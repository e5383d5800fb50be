"""The MACE model in what was unpickled: itself, or what holds it; in one line what is something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._text import listed
from mpcheck.adapters.stored.weights import state_within

HOLDERS = ("_orig_mod", "module", "model", "models")
"""Attributes under which torch.compile, data-parallel and averaging wrappers, LAMMPS's exports and upstream's calculator hold a model."""
DEEPEST = 6
EXPORT = "LAMMPS_MACE"
WITH_POLICY = "PolicyModel"
BESIDE = "the .policy.json beside it"


@dataclass(frozen=True)
class Found:
    """A model, and where it was: from the outermost holder in; empty where the object itself is the model."""

    module: torch.nn.Module
    holders: tuple[str, ...] = ()


def model_within(held: object, where: str) -> Found:
    """The one MACE model in an object.

    Args:
        where: what the user named, for errors: ``model FILE``.

    Raises:
        InputError: TorchScript, weights without a model, several models, or none.
    """
    holders: list[str] = []
    while len(holders) < DEEPEST:
        if isinstance(held, torch.jit.ScriptModule):
            raise InputError(f"{where} {_script(held)}")
        if type(held).__name__ == WITH_POLICY:
            raise InputError(
                f"{where} runs by a policy ({_policy(held)}) and has lost digits; give the model that it was made of, which {BESIDE} names"
            )
        if isinstance(held, torch.nn.Module) and (inner := _attribute(held)) is None and _mace(held):
            return Found(held, tuple(holders))
        if isinstance(held, Mapping):
            name, held = _entry(held, where)
            holders.append(f"entry {name!r} of a dictionary")
        elif isinstance(held, (list, tuple)):
            if len(held) != 1:
                raise InputError(f"{where} is a {type(held).__name__} of {len(held)} objects, not a model; save one model and give its file")
            held = held[0]
            holders.append("a list")
        elif (inner := _attribute(held)) is not None:
            holders.append(type(held).__name__)
            held = inner
        else:
            break
    raise InputError(f"{where} holds a {type(held).__name__}, not a MACE model")


def _policy(held: object) -> str:
    held_by: Any = held
    return str(held_by.policy.name)


def _mace(module: object) -> bool:
    return hasattr(module, "interactions") and hasattr(module, "atomic_numbers")


def _attribute(holder: object) -> object | None:
    """What a holder holds: torch.compile's wrapper looks like the model, so that it is asked before."""
    own = vars(holder) if hasattr(holder, "__dict__") else {}
    inside = {**own, **(own.get("_modules") or {})}
    for name in HOLDERS:
        inner = inside.get(name)
        if isinstance(inner, torch.nn.Module) and not isinstance(inner, torch.nn.ModuleList):
            return inner
        if name == "models" and isinstance(inner, list) and inner and all(isinstance(m, torch.nn.Module) for m in inner):
            return inner
    return None


def _script(module: torch.jit.ScriptModule) -> str:
    name = str(getattr(module, "original_name", ""))
    what = "a model exported for LAMMPS (TorchScript)" if name == EXPORT else f"a TorchScript-compiled model ({name})"
    return f"is {what}, whose blocks cannot be told apart; give the .model it was compiled from"


def _entry(held: Mapping[object, object], where: str) -> tuple[object, object]:
    """The one entry of a dictionary that is, or holds, a model."""
    models = {name: value for name, value in held.items() if isinstance(value, torch.nn.Module) and (_mace(value) or _attribute(value) is not None)}
    if len(models) == 1:
        return next(iter(models.items()))
    file = where.split(maxsplit=1)[-1]
    if models:
        names = listed([repr(name) for name in models], 5)
        raise InputError(f"{where} is a dictionary that holds {len(models)} models ({names}); save the one to judge and give its file")
    advice = f"give the .model that the training saved, or name the architecture beside it: ARCHITECTURE.yaml+{file}"
    if (found := state_within(held)) is not None:
        what = f"a dictionary (a checkpoint: weights under {found.key!r})" if found.key else "a dictionary (a state dict: weights only)"
        raise InputError(f"{where} is {what}, not a model; {advice}")
    raise InputError(
        f"{where} is a dictionary ({listed([repr(name) for name in held], 5) or 'empty'}) without a model or its weights; save the model"
    )
