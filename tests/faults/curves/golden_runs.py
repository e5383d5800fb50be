"""Plantings in the whole float64 model, by golden values."""

from __future__ import annotations

import math

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.golden import Golden, compare_golden, golden_paths, load_golden, measure
from mpcheck.checks.physics.inputs import WARM_UP
from mpcheck.checks.physics.structure import rms
from mpcheck.checks.precision import CellKey
from mpcheck.judge.replay import FORWARD
from mpcheck.judge.tolerances import limits_for
from mpcheck.reference.noise import seed_of
from mpcheck.sessions.run import Session
from tests.faults.catalogue_runs import BASELINES
from tests.faults.curves.families import Item, fitting, planted, relative
from tests.faults.curves.records import LARGEST, Planting

GOLDEN = "golden"
GOLDEN_FAMILIES = ("irrep scaled", "element wrong", "bias added", "weights wrong", "table wrong", "neighbour weighted", "coarse rounding")


def golden_items(session: Session, system: str, thinning: int, seed: int) -> list[Item]:
    """Plantings in leaf blocks of the float64 e3nn model, which golden values are of."""
    found = []
    for block in session.library(system).blocks():
        key = CellKey(system, block.name, "e3nn", "float64", FORWARD)
        if block.kind == "composite":
            continue
        for family in set(GOLDEN_FAMILIES) & set(fitting(session, key)):
            chance = seed_of("golden curves", seed, block.name, family)
            found += [Item(family, key, m, (chance + i) % 2**16) for i, m in enumerate(relative("float64")) if (i + chance) % thinning == 0]
    return sorted(found, key=lambda i: (i.key.block, i.family, i.magnitude))


class GoldenRuns:
    """Golden values of one model and system, measured with and without faults."""

    def __init__(self, session: Session, system: str) -> None:
        """Raises:
        InputError: there are none.
        """
        self.session = session
        self.golden: Golden = load_golden(golden_paths(BASELINES, session.options.model, system))
        model = session.reference_backend
        self.graph: Tensors = make_graph(self.golden.frames, session.model.elements, session.model.r_max, session.model.heads)
        self.graph = {k: v.to(model.device) for k, v in self.graph.items()}
        for _ in range(WARM_UP + 1):  # TorchScript's first calls round otherwise than the later ones
            self.sound = measure(model.model, self.graph)
        self.limits = limits_for(session.tolerances, "golden", "e3nn", "float64", "forward")

    def red(self, today: Tensors) -> list[str]:
        """Names of the rows that fail."""
        return [r.tensor for r in compare_golden(self.golden, today, self.limits) if r.red]

    def run(self, item: Item) -> Planting:
        """One planting; its size is that of the row which it moves most, over the noise scale of a difference."""
        with planted(self.session, item):
            today = measure(self.session.reference_backend.model, self.graph)
        size = peak = 0.0
        for name, before in self.sound.items():
            scale = self.golden.noise[name] * math.sqrt(2.0)
            change = (today[name] - before).abs()
            if not float(change.max()) > 0:
                continue
            size = max(size, rms(change) / rms(scale) if rms(scale) > 0 else LARGEST)
            peak = max(peak, float((change / (scale + 0.1 * rms(scale))).max()) if rms(scale) > 0 else LARGEST)
        rows = self.red(today)
        named = any(r.startswith(item.key.block.partition("@")[0]) for r in rows)
        return Planting(
            family=item.family, subject=item.key.block, backend="e3nn", format="float64", direction=FORWARD, magnitude=item.magnitude,
            size=min(size, LARGEST), peak=min(peak, LARGEST), asked=[GOLDEN], seen=[GOLDEN] if rows else [], named=named,
        )  # fmt: skip
