"""Energy-and-force calls of a model of which something is treated: how far its energies, forces and stress move."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.adapters.steps import ENERGY_SUM, step_kind
from mpcheck.policy import known_rounding, rounding
from mpcheck.policy.energies import sums_up
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.isolation import BETWEEN, Isolation, Treatment
from mpcheck.policy.rules import BlockFormat, Policy, carrier
from mpcheck.policy.subjects import holder

NODES = "nodes"
Tensors = Mapping[str, torch.Tensor]
Response = dict[str, torch.Tensor]
"""``energy``, ``interaction`` [structures] eV, ``forces`` [atoms, 3] eV/Å, ``stress`` [structures, 3, 3] eV/Å³, ``nodes``: energies of atoms [atoms]
eV. See :class:`mpcheck.policy.evaluation.Evaluation`.
"""


class Calls:
    """A float64 model and one batch of structures.

    Attributes:
        isolation: of the model. graph: of the structures. plain: undisturbed values. energies: leaf that holds energies of isolated atoms, "" for none.
        summed: whether the total is the sum of the atoms' energies, which can be taken outside the model. count: of calls so far.
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
        self.summed = sums_up(self.isolation.source)
        self.plain = self._values(graph)
        self.apart = self._values(graph, without=True)

    @property
    def blocks(self) -> list[Block]:
        """Of the model, by the names and roles that rules speak of."""
        return module_blocks(self.isolation.source)

    def _evaluate(self, graph: Tensors) -> Evaluation:
        self.count += 1
        return evaluate(self.isolation.model, graph, self.device)

    def _values(self, graph: Tensors, without: bool = False) -> Response:
        """Those of the model; ``without``: with energies of isolated atoms at zero."""
        zeroed = self.isolation.model.get_submodule(self.energies) if without and self.energies else None
        with replaced(zeroed, torch.zeros_like):
            found = self._evaluate(graph)
        return {**found.values(), NODES: found.nodes}

    def _moved(
        self, treatments: Mapping[str, Treatment], graph: Tensors | None, without: bool, around: contextlib.AbstractContextManager[object] | None = None
    ) -> Response:
        before = self.apart if without else self.plain
        with self.isolation.treated(treatments), around or contextlib.nullcontext():
            values = self._values(self.graph if graph is None else graph, without)
        return {n: v - before[n] for n, v in values.items()}

    def deviation(self, treatments: Mapping[str, Treatment], graph: Tensors | None = None) -> Response:
        """How far the values move where subjects are treated, or the structures are others."""
        found = self._moved(treatments, graph, without=False)
        if bool(self.plain["interaction"].isnan().any()):  # a class that does not tell: what remains where isolated atoms have no energy
            touched = any(name in (BETWEEN, self.energies) or step_kind(name) == ENERGY_SUM for name in treatments)
            found["interaction"] = (self._moved(treatments, graph, without=True) if touched else found)["energy"]
        return found

    def emulated(self, policy: Policy, formats: Mapping[str, BlockFormat]) -> Response:
        """How far they move where everything below float32 is rounded as a policy says; energies as the policy sums them."""
        base: torch.dtype = getattr(torch, carrier(policy.base))
        graph = known_rounding.coordinates(self.graph, base)
        apart = policy.energies == "apart"
        treatments = rounding.treatments(self.isolation, policy, formats)
        found = self._moved(treatments, graph, apart, rounding.around(policy))
        if apart:
            nodes, energy = found[NODES], found["energy"]
            known = self.summed and not bool(nodes.isnan().any())
            found["energy"] = torch.zeros_like(energy).index_add(0, self.graph["batch"].cpu(), nodes) if known else energy
            found["interaction"] = found["energy"]
        return found
