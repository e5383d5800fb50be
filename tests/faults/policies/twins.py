"""Sound lookalikes of the faults: what each does legitimately must leave every record green."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.policy.running import applied, energies, packed, wrapped
from tests.faults.patches.planting import exchanged, patch
from tests.faults.policies.patches import on_blocks, outputs


@patch
def isolated_energies_by_index() -> Iterator[None]:
    """Energies of isolated atoms looked up in float64, not multiplied by one-hot rows."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            return torch.atleast_2d(self.get_buffer("atomic_energies"))[:, x.argmax(1)].T

        return forward

    with exchanged(energies.AtomicEnergies, "forward", make):
        yield


@patch
def put_in_twice() -> Iterator[None]:
    """Every block that a rule names is put into its place twice."""
    with exchanged(applied, "substituted", lambda original: lambda root, path, module: original(original(root, path, module), path, module)):
        yield


@patch
def cast_through_float64() -> Iterator[None]:
    """Wider on the way, and rounded once."""
    with exchanged(wrapped, "cast", lambda original: lambda tensor, dtype: original(original(tensor, torch.float64), dtype)):
        yield


@patch
def scales_twice_as_fine() -> Iterator[None]:
    """Codes of the nearest numbers, found by the remainder instead of by rounding."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def quantised(parameter: torch.Tensor, parts: Any) -> Any:
            codes, scales = original(parameter, parts)
            exact = parameter.detach().flatten()[: codes.numel()] / packed.spread(scales, parts)
            return (torch.floor(exact) + (exact - torch.floor(exact) > 0.5)).clamp(-127, 127).to(torch.int8), scales

        return quantised

    with exchanged(packed, "quantised", make):
        yield


@patch
def offset_taken_off_again(eV: float) -> Iterator[None]:  # noqa: N803 - the unit
    """A constant of odd structures that is taken off again."""

    def change(out: dict[str, Any], data: dict[str, torch.Tensor]) -> dict[str, Any]:
        odd = torch.diff(data["ptr"]) % 2 == 1
        return {**out, "energy": (out["energy"] + eV * odd) - eV * odd}

    with outputs(change):
        yield


@patch
def rounded_twice_alike() -> Iterator[None]:
    """Results in the type that they are in already."""

    def change(made: torch.nn.Module) -> torch.nn.Module:
        if getattr(made, "compute", None) == torch.bfloat16:
            made.register_forward_hook(lambda module, given, out: out.to(torch.bfloat16).to(out.dtype))
        return made

    with on_blocks("*linear*", change):
        yield


@patch
def stress_copied() -> Iterator[None]:
    """A stress with zeros where it is not finite, of which it has none."""
    with outputs(lambda out, data: {**out, "stress": torch.nan_to_num(out["stress"])} if out.get("stress") is not None else out):
        yield
