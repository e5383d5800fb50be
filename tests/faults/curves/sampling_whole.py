"""The whole model in several orders of atoms and edges, with rows of a block's result wrong by their number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.formats import get_format
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.sessions.precision.outlier import MOST, Orders
from mpcheck.sessions.precision.whole import model_in
from mpcheck.sessions.run import Session
from tests.faults.curves.changes import Change
from tests.faults.curves.places import STEPS
from tests.faults.curves.sampling_search import LARGEST, SMALLEST, smallest
from tests.faults.patches.planting import exchanged

AT = 64.0
"""Noise scales at which the whole model is evaluated with a fault first."""
ALIKE = 2.0
"""Factor of a size within which a fault does what it does at that size, to first order: in 16 bits a few noise scales are no longer small."""
TRIES = 6


class Whole:
    """The whole model in one format and in several orders, with rows of a block's result wrong by their number."""

    def __init__(self, session: Session, system: str, backend: str, fmt: str) -> None:
        self.fmt = get_format(fmt)
        self.orders = Orders(session.graph(system), session.seed)
        self.exact = evaluate(session.reference_backend.model, self.orders.graphs[0])
        made = model_in(session, backend, self.fmt)
        assert not isinstance(made, Unsupported), made
        self.model = made
        self.sound = self._evaluated()

    def _evaluated(self) -> list[Evaluation]:
        return [evaluate(self.model, graph) for graph in self.orders.graphs]

    def red(self, found: list[Evaluation]) -> bool:
        """Whether an atom errs too much beside other orders."""
        return self.orders.worst(self.exact, found, self.fmt).ratio > MOST

    def faulty(self, block: str, where: torch.Tensor, wrong: torch.Tensor) -> list[Evaluation]:
        """Evaluations with something added to rows of these numbers in every order."""

        def change(x: torch.Tensor) -> torch.Tensor:
            found = x.double().index_add(0, where, wrong.reshape(-1, *x.shape[1:]))
            return found.to(x.dtype)

        with _in_the_model(self.model.model, block, change):
            return self._evaluated()

    def smallest(self, block: str, where: torch.Tensor, unit: torch.Tensor) -> float:
        """The smallest size that is seen of a fault; infinite where the largest is not.

        Args:
            unit: what is added to the rows at size 1.
        """
        size = found = AT
        for _ in range(TRIES):
            faulty = self.faulty(block, where, size * unit)
            if not all(bool(one.forces.isfinite().all()) for one in faulty):
                size /= 16
                continue
            found = smallest(lambda other, faulty=faulty, size=size: self.red(self.between(faulty, other / size)), size)  # type: ignore[misc]  # bound
            nearest = min(max(found, SMALLEST), LARGEST)
            if size / ALIKE <= nearest <= ALIKE * size:
                break
            size = min(max(nearest, size / 16), 16 * size)
        return found

    def between(self, faulty: list[Evaluation], share: float) -> list[Evaluation]:
        """What a share of a fault does, to first order."""
        found = []
        for one, other in zip(self.sound, faulty, strict=True):
            forces = one.forces + share * (other.forces - one.forces)
            nodes = None if one.nodes is None or other.nodes is None else one.nodes + share * (other.nodes - one.nodes)
            found.append(replace(one, forces=forces, nodes=nodes))
        return found


@contextlib.contextmanager
def _in_the_model(model: torch.nn.Module, block: str, change: Change) -> Iterator[None]:
    """A block's result in a whole model goes through a change; of a step, where its layer calls it."""
    path, _, step = block.rpartition(".")
    if step not in STEPS:
        handle = model.get_submodule(block).register_forward_hook(
            lambda _m, _i, out: (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(out)
        )
        try:
            yield
        finally:
            handle.remove()
        return
    inside: list[bool] = []
    layer = model.get_submodule(path)
    handles = [layer.register_forward_pre_hook(lambda _m, _i: inside.append(True)), layer.register_forward_hook(lambda _m, _i, _o: inside.clear())]
    owner, name = STEPS[step]
    try:
        with exchanged(owner, name, lambda right: lambda *args, **kwargs: change(right(*args, **kwargs)) if inside else right(*args, **kwargs)):
            yield
    finally:
        for handle in handles:
            handle.remove()
