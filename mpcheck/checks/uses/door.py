"""A model behind upstream's ASE calculator: how it is opened, and what it must tell of a structure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from ase import Atoms

from mpcheck.adapters.calculator import calculator, model_type_of
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import Difference, differences, heads_of, scales
from mpcheck.checks.uses.results import expected
from mpcheck.formats import FLOAT64

REQUIRED = ("energy", "free_energy", "energies", "node_energy", "forces", "stress")
"""Results that a calculator must tell where the model has them; ASE's functions tell those that they have."""


@dataclass(frozen=True)
class Door:
    """A case behind upstream's calculator."""

    case: Case

    def open(self, *models: torch.nn.Module, **options: Any) -> Any:
        """A calculator of the case's model, or of some."""
        chosen = {"default_dtype": FLOAT64.name, "model_type": model_type_of(self.case.model), "head": heads_of(self.case)[0], **options}
        return calculator(models or (self.case.model,), device=self.case.device, **chosen)

    def e0(self, graph: Tensors) -> torch.Tensor | None:
        """Energies of isolated atoms [atoms] of the head that a graph goes to."""
        block = getattr(self.case.context.reference_backend.model, "atomic_energies_fn", None)
        if block is None:
            return None
        table = torch.atleast_2d(block.atomic_energies).to(graph["positions"])
        head = int(graph["head"][0]) if "head" in graph else 0
        energies: torch.Tensor = table[head][graph["node_attrs"].argmax(1)]
        return energies

    def truth(self, frame: Atoms, model: torch.nn.Module | None = None, tensors: Mapping[str, torch.Tensor] | None = None) -> Values:
        """What the calculator must tell of a structure; tensors of its graph may be replaced."""
        graph = {**(own := self.case.graph(frame)), **{k: v for k, v in (tensors or {}).items() if k in own}}
        return expected(model or self.case.model, graph, bool(frame.pbc.all()), self.e0(graph))

    def compared(self, found: Values, wanted: Values, frame: Atoms, key: str, required: Sequence[str] = REQUIRED) -> list[Difference]:
        """Results against the truth, within the noise of the reference backend.

        Args:
            found: results by ASE's names. wanted: what they must be, see :meth:`truth`; ``required`` of it must be there.
            frame: the structure; ``key``: tells its noise apart from that of others.
        """
        reference = self.case.context.reference_backend.model
        scale = scales(self.case, lambda: self.truth(frame, reference), "calculator", key)
        aliases = {"full stress": "stress", "transposed stress": "stress"}
        told = {n: v for n, v in found.items() if aliases.get(n, n) in wanted}
        lost = {n: v for n, v in wanted.items() if n not in told and n in required}
        truth = {n: wanted[aliases.get(n, n)].cpu() for n in told} | lost
        return list(differences(self.case, told, truth, {n: scale[aliases.get(n, n)].cpu() for n in truth}))


def told(w: Difference) -> str:
    """The reason of a failure."""
    return f"the calculator's {w.what} is not what it is by the model itself" + (f", by {w.size:.3g}" if math.isfinite(w.size) else "")


def same(equal: bool, what: str) -> Difference:
    """Two things that are equal or not, of which nothing may round."""
    return Difference(what, 0.0 if equal else math.inf, 1.0, 0.0 if equal else math.nan)
