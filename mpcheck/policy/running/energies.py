"""Energies of isolated atoms and the total, summed apart from the model in float64.

A carbon atom's -1,029 eV leaves float32 no digit beyond 6e-5 eV, and the float32 sum over 1,024 of them errs by 15.8 eV. The rest, the
interaction energy, is a hundred times smaller and differs from atom to atom. Taken apart before any cast, the constant part costs nothing.
"""

from __future__ import annotations

from typing import Any

import torch

SUMMED = ("MACE", "ScaleShiftMACE")
"""Classes whose energy is the sum of their atoms' energies, as long as nothing else is embedded that has an energy of its own. The energies of
atoms that EnergyDipolesMACE returns are those of isolated ones alone: its layers' are added to no list.
"""
FURTHER = ("embedding_readout", "les", "joint_embedding")


class AtomicEnergies(torch.nn.Module):
    """Energies of isolated atoms, eV, in float64 whatever is asked.

    Attributes:
        atomic_energies: the model's own table, [heads, elements] or [elements].
    """

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("atomic_energies", table.detach().to(torch.float64).clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of one-hot elements [atoms, elements]: [atoms, heads]."""
        table: torch.Tensor = torch.atleast_2d(self.get_buffer("atomic_energies"))
        return x.to(torch.float64) @ table.T

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]  # as torch declares it
        """Moves to another device; the table keeps its type."""
        table = self.get_buffer("atomic_energies")
        self._buffers["atomic_energies"] = table.to(fn(table).device)
        return self


def sums_up(model: torch.nn.Module) -> bool:
    """Whether a model's energy is the sum of its atoms' energies."""
    return type(model).__name__ in SUMMED and not any(hasattr(model, name) for name in FURTHER)


def taken_out(model: torch.nn.Module) -> AtomicEnergies | None:
    """The table of a model, which is zero in it from then on; None of a model without one.

    Args:
        model: a copy that nobody else uses, in float64.
    """
    block = getattr(model, "atomic_energies_fn", None)
    table = getattr(block, "atomic_energies", None)
    if block is None or table is None:
        return None
    apart = AtomicEnergies(table)
    block._buffers["atomic_energies"] = torch.zeros_like(table)
    return apart


def added(out: dict[str, Any], data: dict[str, torch.Tensor], apart: AtomicEnergies, summed: bool) -> dict[str, Any]:
    """Outputs of a model without energies of isolated atoms, with them.

    Args:
        out: of upstream's forward. data: its graph. summed: whether the total is the sum of the atoms' energies.
    """
    if out.get("energy") is None:
        return out
    count, batch = int(data["ptr"].numel()) - 1, data["batch"]
    by_head = apart(data["node_attrs"])
    heads = data["head"][batch] if data.get("head") is not None else torch.zeros_like(batch)
    own = by_head[torch.arange(len(batch), device=batch.device), heads.long()]

    def total(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(count, dtype=torch.float64, device=values.device).index_add(0, batch, values.to(torch.float64))

    changed = dict(out)
    isolated, nodes = total(own), out.get("node_energy")
    interaction = total(nodes) if summed and nodes is not None else out["energy"].to(torch.float64)
    changed["energy"] = interaction + isolated
    if nodes is not None:
        changed["node_energy"] = nodes.to(torch.float64) + own
    if summed and nodes is not None and out.get("interaction_energy") is not None:
        changed["interaction_energy"] = interaction
    if (parts := out.get("contributions")) is not None:
        parts = parts.to(torch.float64)
        changed["contributions"] = torch.cat([parts[..., :1] + isolated[..., None], parts[..., 1:]], dim=-1)
    return changed
