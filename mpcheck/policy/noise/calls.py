"""Energy-and-force calls of a model of which something is treated: how far its energies, forces and stress move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.formats import NARROW
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise import known_rounding, rounding
from mpcheck.policy.noise.isolation import BETWEEN, Isolation, Treatment
from mpcheck.policy.noise.subjects import holder
from mpcheck.policy.rules import BlockFormat, Policy, carrier
from mpcheck.policy.running.energies import sums_up

NODES = "nodes"
Tensors = Mapping[str, torch.Tensor]
Response = dict[str, torch.Tensor]
"""``energy``, ``interaction`` [structures] eV, ``forces`` [atoms, 3] eV/Å, ``stress`` [structures, 3, 3] eV/Å³, ``nodes``: energies of atoms [atoms]
eV. See :class:`mpcheck.policy.evaluation.Evaluation`.
"""


class Calls:
    """A float64 model and one batch of structures.

    Attributes:
        isolation: of the model. graph: of the structures. plain: undisturbed values. energies: leaf with energies of isolated atoms, "" for none.
        summed: whether the total is the sum of the atoms' energies, which can be taken outside the model. isolated: subjects in which
            there are such energies alone. count: of calls so far.
    """

    def __init__(self, model: torch.nn.Module, graph: Tensors, source: torch.nn.Module | None = None, device: torch.device | str = "cpu") -> None:
        """Args:
        model: upstream's or a backend's, on the device; between calls as it was. source: the e3nn model that a backend's was made from.

        Raises:
            BaseException: whatever the model raises.
        """
        self.isolation, self.graph, self.device = Isolation(model, source), graph, device
        self.count = 0
        self.energies = holder(self.isolation)
        self.isolated = frozenset({self.energies} if self.energies else ())
        self.summed = sums_up(self.isolation.source)
        self.plain = self._values(graph)
        self.apart = self._values(graph, without=True)

    @property
    def blocks(self) -> list[Block]:
        """Of the model, by the names and roles that rules speak of."""
        return module_blocks(self.isolation.source)

    def _values(self, graph: Tensors, without: bool = False, model: torch.nn.Module | None = None) -> Response:
        """Those of the model; ``without``: with energies of isolated atoms at zero."""
        self.count += 1
        zeroed = self.isolation.model.get_submodule(self.energies) if without and self.energies else None
        with replaced(zeroed, torch.zeros_like):
            found = evaluate(model or self.isolation.model, graph, self.device)
        unknown = torch.full((len(found.forces),), torch.nan, dtype=torch.float64)
        return {**found.values(), NODES: unknown if found.nodes is None else found.nodes}

    def _moved(self, treatments: Mapping[str, Treatment], graph: Tensors | None, without: bool, model: torch.nn.Module | None = None) -> Response:
        before = self.apart if without else self.plain
        with self.isolation.treated(treatments):
            values = self._values(self.graph if graph is None else graph, without, model)
        return {n: v - before[n] for n, v in values.items()}

    def deviation(self, treatments: Mapping[str, Treatment], graph: Tensors | None = None) -> Response:
        """How far the values move where subjects are treated, or the structures are others."""
        found = self._moved(treatments, graph, without=False)
        if bool(self.plain["interaction"].isnan().any()):  # a class that does not tell: what remains where isolated atoms have no energy
            found["interaction"] = self._interaction(found["energy"], treatments, graph)
        return found

    def _interaction(self, energy: torch.Tensor, treatments: Mapping[str, Treatment], graph: Tensors | None) -> torch.Tensor:
        """How far the energy moves where isolated atoms have none, by a call only where that cannot be told without."""
        names = set(treatments)
        if names and names <= self.isolated:
            return torch.zeros_like(energy)
        if BETWEEN in names or names & self.isolated:
            return self._moved(treatments, graph, without=True)["energy"]
        return energy

    def emulated(self, policy: Policy, formats: Mapping[str, BlockFormat]) -> Response:
        """How far they move where everything below float32 is rounded as a policy says; energies as the policy sums them."""
        base: torch.dtype = getattr(torch, carrier(policy.base))
        graph = known_rounding.coordinates(self.graph, base)
        apart = policy.energies == "apart"
        treatments = rounding.treatments(self.isolation, policy, formats, torch.device(self.device).type)
        by_virials = _ByVirials(self.isolation.model, self.graph["cell"]) if policy.base in NARROW else None
        with rounding.around(policy):
            found = self._moved(treatments, graph, apart, by_virials)
        if apart:
            nodes, energy = found[NODES], found["energy"]
            known = self.summed and not bool(nodes.isnan().any())
            found["energy"] = torch.zeros_like(energy).index_add(0, self.graph["batch"].cpu(), nodes) if known else energy
            found["interaction"] = found["energy"]
        return found


class _ByVirials(torch.nn.Module):
    """A model whose stress is taken from its virials in float64, as policies of 16-bit bases have it."""

    def __init__(self, model: torch.nn.Module, cells: torch.Tensor) -> None:
        super().__init__()
        self.model, self.cells = model, cells.cpu().numpy().reshape(-1, 3, 3)

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True, compute_stress: bool = True) -> dict[str, Any]:
        """Upstream's outputs; numpy's operations are no part of what rounds."""
        out: dict[str, Any] = self.model(data, compute_force=compute_force, compute_virials=compute_stress)
        if compute_stress:
            virials = out["virials"].detach().cpu().numpy().reshape(-1, 3, 3)
            volumes = np.abs(np.linalg.det(self.cells))[:, None, None]
            out["stress"] = torch.from_numpy(np.divide(-virials, volumes, out=np.zeros_like(virials), where=volumes > 0))
        return out
