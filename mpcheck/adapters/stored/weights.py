"""Weights without their model: state dicts and checkpoints, and whether they fit an architecture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mpcheck._errors import InputError
from mpcheck._files.io import is_there, refuse_irregular
from mpcheck._text import one_line, shortened
from mpcheck.adapters.upstream import environment_restored, quiet
from mpcheck.formats import FLOAT64

State = dict[str, torch.Tensor]
ENTRIES = ("model", "model_state_dict", "state_dict", "module", "ema", "weights")
"""Under which checkpoints keep a model's state dict: the first is upstream's."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""What data-parallel wrappers, torch.compile and Lightning put before every name."""
_CORE: Any = getattr(np, "_core", None) or np.core  # numpy 2 and 1
_TYPES = {type(np.dtype(code)) for code in "?bhilqBHILQefd"}
SCALARS: list[Any] = [np.dtype, np.ndarray, _CORE.multiarray.scalar, _CORE.multiarray._reconstruct, *_TYPES]
"""numpy's numbers, which schedulers put into checkpoints: plain data, but not of torch's own list."""


@dataclass(frozen=True)
class Weights:
    """A state dict; ``key``: the entry of the checkpoint that it is, empty where the file is nothing else."""

    state: State
    key: str = ""


def _is_state(value: object) -> bool:
    named = isinstance(value, Mapping) and bool(value) and all(isinstance(k, str) for k in value)
    return named and all(isinstance(v, torch.Tensor) for v in value.values())  # type: ignore[attr-defined]  # a mapping, seen above


def state_within(held: object) -> Weights | None:
    """The state dict that an object is, or holds under one of :data:`ENTRIES`; None where there is none."""
    if not isinstance(held, Mapping):
        return None
    key, value = "", held
    if not _is_state(held):
        key = next((k for k in ENTRIES if _is_state(held.get(k))), "")
        value = held.get(key)  # type: ignore[assignment]
    return Weights(_unprefixed(dict(value)), key) if _is_state(value) else None


def _unprefixed(state: State) -> State:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def read_state(path: Path) -> Weights:
    """Weights from safetensors, or from a state dict or checkpoint in a .pt file, which is read with torch's safe loader.

    Raises:
        InputError: missing, damaged, or anything but tensors by name.
    """
    refuse_irregular(path, "weights")
    if not is_there(path):
        raise InputError(f"weights {path} do not exist; check the path")
    try:
        if path.suffix == ".safetensors":
            return Weights(load_file(path))
        with quiet(), environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"), torch.serialization.safe_globals(SCALARS):
            os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        said = shortened(one_line(next(iter(str(error).splitlines()), "")), 300)
        raise InputError(f"weights {path} cannot be read (truncated?): {type(error).__name__}: {said}") from error
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"weights {path} are not a plain state dict of tensors: {shortened(said, 300)}") from error
    found = state_within(held)
    if found is None and held != {}:
        raise InputError(f"weights {path} are not a state dict of tensors; save model.state_dict()")
    return found or Weights({})


def check_state(state: State, model: torch.nn.Module, path: Path) -> str:
    """Names, shapes and finiteness against the architecture; the dtype that the parameters were stored in.

    Raises:
        InputError: what does not fit, with the first name.
    """
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or extra:
        raise InputError(
            f"weights {path} do not fit the architecture: {len(missing)} missing (first: {missing[:1]}), {len(extra)} unknown "
            f"(first: {extra[:1]}){_whose(extra)}"
        )
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise InputError(f"weights {path}: {name} is {list(tensor.shape)}, the architecture wants {list(expected[name].shape)}")
    check_finite(state, f"weights {path}")
    kinds = sorted({str(state[n].dtype).removeprefix("torch.") for n, _ in model.named_parameters()})
    return kinds[-1] if kinds else FLOAT64.name


def _whose(extra: list[str]) -> str:
    """What names say that no architecture here has."""
    if any("lora_A" in name or "lora_B" in name for name in extra):
        return "; they hold LoRA adapters apart: merge them (mace.modules.lora.merge_lora_weights) and save the weights again"
    if any(name.endswith("symmetric_contractions.weight") for name in extra):
        return "; they are of a model converted to cuEquivariance: save the weights of the e3nn model (mace_cueq_to_e3nn)"
    return ""


def check_finite(state: Mapping[str, torch.Tensor], where: str) -> None:
    """Refuse NaN, infinity, and tensors without numbers.

    Raises:
        InputError: the first name.
    """
    for name, tensor in state.items():
        if tensor.is_meta:
            raise InputError(f"{where}: {name} was saved without its numbers (on torch's meta device); save the model once its weights are there")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{where}: {name} holds NaN or infinity; the file is damaged or training diverged")
