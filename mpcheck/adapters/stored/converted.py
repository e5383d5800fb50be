"""Models that were saved after a conversion to an accelerated package: back to e3nn by upstream's converter, nothing lost on the way."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck._errors import InputError, error_line
from mpcheck._text import listed
from mpcheck.adapters.backends.conversion import cueq_kept, cueq_to_e3nn, oeq_to_e3nn
from mpcheck.adapters.backends.converter import same_parameters
from mpcheck.adapters.backends.engagement import package_of
from mpcheck.adapters.upstream import mace

CUEQ = "cuequivariance_torch"
OEQ = "openequivariance"
NAMES = {CUEQ: "cuEquivariance", OEQ: "OpenEquivariance"}
OTHERWISE = ("training", "lammps_mliap", "cueq_config", "oeq_config")
"""Attributes that a conversion may change."""
CPU = torch.device("cpu")


def conversions(model: torch.nn.Module) -> list[str]:
    """Packages whose classes a model has in place of e3nn's."""
    return sorted({package_of(m) for m in model.modules()} & set(NAMES))


def to_e3nn(model: torch.nn.Module, where: str) -> tuple[torch.nn.Module, str]:
    """The e3nn model of a converted one, and what to tell of it; a model of e3nn's own classes as it is.

    Args:
        model: in float64 on the CPU.

    Raises:
        InputError: upstream's converter cannot do it, or does not bring back every parameter, buffer, class and setting.
    """
    packages = conversions(model)
    if not packages:
        return model, ""
    what, remedy = f"{where} was converted to {' and '.join(NAMES[p] for p in packages)}", "give the e3nn model that was converted"
    if len(packages) > 1:
        raise InputError(f"{what} at once, from which upstream has no way back; {remedy}")
    try:
        back = cueq_to_e3nn(model, CPU) if packages == [CUEQ] else oeq_to_e3nn(model, CPU)
    except Exception as error:  # upstream raises whatever it stumbles over, on architectures that it cannot convert
        raise InputError(f"{what}, and upstream's converter cannot bring it back ({error_line(error)}); {remedy}") from error
    same = cueq_kept(back.model, model, returned=True) if packages == [CUEQ] else same_parameters(back.model, model)
    problems = [*back.complaints, *same.failures, *(f"weights of {n}" for n in same.unmapped), *_changed(back.model, model)]
    if problems:
        raise InputError(f"{what}, and upstream's converter does not bring back all of it: {listed(problems, 3)}; {remedy}")
    saved = f"saved as a model of {NAMES[packages[0]]}" + (f" ({layout})" if (layout := _layout(model)) else "")
    return back.model, f"{saved}; judged is the e3nn model that mace {mace.__version__} makes of it, all {same.tensors} parameters accounted for"


def _changed(returned: torch.nn.Module, saved: torch.nn.Module) -> list[str]:
    """Buffers, classes and settings outside of accelerated modules that differ."""
    problems = []
    a, b = (dict(model.named_buffers()) for model in (returned, saved))
    for name in sorted(a.keys() & b.keys()):
        if a[name].shape == b[name].shape and not torch.equal(a[name], b[name]):
            problems.append(f"buffer {name} changed")
    kinds, settings = (_classes(model) for model in (returned, saved)), (_settings(model) for model in (returned, saved))
    for (one, other), what in ((tuple(kinds), "class"), (tuple(settings), "setting")):
        problems += [f"{what} {n} {other[n]} became {one[n]}" for n in sorted(one.keys() & other.keys()) if one[n] != other[n]]
    return problems


def _plain(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Modules of upstream's own that are converted neither themselves nor above."""
    return {path: m for path, m in model.named_modules() if package_of(m) == "mace"}


def _classes(model: torch.nn.Module) -> dict[str, str]:
    return {path: type(m).__name__ for path, m in _plain(model).items()}


def _settings(model: torch.nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, module in _plain(model).items():
        for name, value in vars(module).items():
            if not name.startswith("_") and name not in OTHERWISE and isinstance(value, (bool, int, float, str, list)):
                found[f"{path}.{name}".lstrip(".")] = value
    return found


def _layout(model: torch.nn.Module) -> str:
    """``mul_ir`` or ``ir_mul``; empty where no module says it."""
    for module in model.modules():
        config: Any = getattr(module, "cueq_config", None)
        if layout := getattr(config, "layout_str", ""):
            return str(layout)
    return ""
