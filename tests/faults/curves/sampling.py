"""Faults confined to some rows of large tensors: from which size on they are seen where all rows are judged, and where a sample is.

A planting is a set of rows of a block's result on a structure of some 90,000 edges, to whose numbers normal deviates of their own noise scale by a
size are added. The smallest size that is seen is found by bisection, with the precision check's own judging of the result; half of the
plantings are seen from the median on. Rows that are wrong by what is in them are so in a sample, too, where it has them. Rows that are wrong
by their number are in no smaller call: those are looked for in the whole model, in several orders.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.every_row import EveryRow, Exact
from mpcheck.checks.precision import CellKey
from mpcheck.formats import Component, get_format
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.judge.row_noise import row_means
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.environment import describe
from mpcheck.reference.cut import cut
from mpcheck.reference.noise import seed_of
from mpcheck.reference.sample import Kept, SystemSample
from mpcheck.sessions.run import Session
from tests.faults.curves.sampling_records import Confined, Row
from tests.faults.curves.sampling_search import half, smallest
from tests.faults.curves.sampling_whole import Whole
from tests.faults.patches.planting import exchanged

SYSTEM = "builtin:water:720"
BLOCKS = ("radial_embedding", "spherical_harmonics", "interactions.0.scatter", "interactions.0.conv_tp_weights", "interactions.0.conv_tp")
FORMATS = ("float32", "bfloat16")
SHARES = (0.0, 1e-3, 1e-2, 1e-1)
"""Of the rows; 0 for one row."""
SCATTERED, OF_A_KIND, BY_NUMBER = "scattered", "of one kind", "by number"
"""Rows by chance; by chance among those of one pair of elements, or of one element; in one piece, wherever atoms and edges come in another order."""


class Sampled:
    """Which rows of a structure blocks are judged on by default."""

    def __init__(self, session: Session, system: str) -> None:
        self.library = session.library(system)
        graph = session.graph(system)
        numbered = {**graph, "unit_shifts": torch.arange(graph["edge_index"].shape[1])[:, None], "numbered": torch.arange(len(graph["positions"]))}
        part = cut(numbered, session.seed)
        self.of_part = {len(part["numbered"]): part["numbered"], len(part["unit_shifts"]): part["unit_shifts"][:, 0]}
        self.kept: dict[str, Kept] = {}
        with exchanged(SystemSample, "of", self._noted):
            self.library._capture()

    def _noted(self, original: Any) -> Any:
        def of(sample: SystemSample, block: Any, *args: Any) -> Kept | None:
            kept: Kept | None = original(sample, block, *args)
            if kept is not None:
                self.kept[block.name] = kept
            return kept

        return of

    def rows(self, block: str, count: int) -> torch.Tensor:
        """Of a block's result with so many rows, which of the whole structure's these are."""
        if not self.library.index["entries"][block].get("rows"):
            return self.of_part[count]
        (rows,) = {len(rows): (total, rows) for total, rows in self.kept[block].rows.items() if len(rows) == count}.values()
        return self.of_part[rows[0]][rows[1]]


class Judged:
    """One block's result in one format, judged by the limits with some of its rows scaled.

    Attributes:
        rows: which of the whole structure's rows it has, in its order.
    """

    def __init__(self, session: Session, key: CellKey, sampled: Sampled | None) -> None:
        """Args:
        sampled: which rows are judged; None for all.
        """
        self.check, self.key, self.fmt = session.check(key.system), key, get_format(key.format)
        backend = session.backend(key.backend)
        assert not isinstance(backend, Unsupported), backend
        self.backend, self.reference = backend, self.check.library.get(key.block)
        self.low = replay(backend, self.reference, self.fmt, FORWARD)
        self.name = next(n for n in self.reference.values if not n.startswith(("grad.", "weight.")))
        self.value = self.low[self.name]
        self.rows = torch.arange(len(self.value)) if sampled is None else sampled.rows(key.block, len(self.value))
        assert len(self.rows) == len(self.value), (key, self.rows.shape, self.value.shape)

    def scale(self) -> torch.Tensor:
        """The noise scale of every number."""
        reference, roundoff = self.reference, self.backend.roundoff(self.reference.block, self.fmt)
        return noise_scale(reference.noise[self.name], reference.statistics[self.name], roundoff, reference.values[self.name]).s

    def red(self, where: torch.Tensor, wrong: torch.Tensor) -> bool:
        """Whether a limit fails where something is added to rows at some of the result's own places, in float64, and stored in the format."""
        value = self.value.clone()
        value[where] = (value[where].double() + wrong).to(value.dtype)
        low = {**self.low, self.name: value}
        return any(q.failures for q in self.check.compare_all(self.reference, self.backend, low, [self.name], self.fmt, self.key))


class Watched(EveryRow):
    """Keeps what one block is judged by at full size in one format."""

    def exact(self, block: Block, skeleton: Any, given: Tensors) -> Exact | None:
        """What it was."""
        self.kept, self.known = super().exact(block, skeleton, given), dict[int, torch.Tensor]()
        return self.kept

    def drawn(self, exact: Exact, name: str, rows: torch.Tensor, roundoff: Mapping[Component, float], held: torch.Tensor) -> torch.Tensor:
        """Each row once: its noise does not depend on what is planted."""
        numbers = rows.tolist()
        if new := [n for n in numbers if n not in self.known]:
            self.known.update(zip(new, super().drawn(exact, name, torch.tensor(new), roundoff, held), strict=True))
        return torch.stack([self.known[n] for n in numbers])


class AtFull:
    """One block's result in one format, judged by the check of every row with some of its rows scaled."""

    def __init__(self, session: Session, key: CellKey) -> None:
        self.check, self.fmt = session.check(key.system), get_format(key.format)
        self.watched = Watched(self.check, session.graph(key.system), [key.block], [self.fmt], [key.backend])
        (sound,) = self.watched.run({"system": key.system})
        assert sound.verdict == "pass" and self.watched.kept is not None, sound
        exact, backend = self.watched.kept, session.backend(key.backend)
        assert not isinstance(backend, Unsupported), backend
        self.exact, self.backend = exact, backend
        full = replace(exact.reference, block=exact.call.block, skeleton=exact.call.skeleton, inputs=exact.call.inputs)
        (self.name,) = exact.call.groups
        self.value = replay(backend, full, self.fmt, FORWARD)[self.name]
        self.limit = limits_for(self.check.tolerances, key.block, key.backend, key.format, FORWARD).rms
        self.errors = self._errors(slice(None), self.value)

    def _errors(self, where: torch.Tensor | slice, low: torch.Tensor) -> torch.Tensor:
        return row_means((low.double() - self.exact.values[self.name][where]).square(), self.exact.call.groups[self.name])

    def red(self, where: torch.Tensor, wrong: torch.Tensor) -> bool:
        """Whether it is, where something is added to rows."""
        errors = self.errors.clone()
        errors[where] = self._errors(where, (self.value[where].double() + wrong).to(self.value.dtype))
        return any(found.share > 1 for found in self.watched.told(self.exact, self.name, errors, self.backend, self.fmt, self.limit))


class Places:
    """Where faults are planted on one structure: rows of edges, or of atoms."""

    def __init__(self, session: Session, system: str) -> None:
        graph = session.graph(system)
        element = graph["node_attrs"].argmax(1)
        sender, receiver = graph["edge_index"]
        self.kinds = {len(element): element, len(sender): len(element) * element[sender] + element[receiver]}

    def of(self, count: int, share: float, kind: str, seed: int) -> torch.Tensor:
        """Rows of so many, in order."""
        number = max(1, round(share * count))
        chance = np.random.default_rng(seed)
        if kind == BY_NUMBER:
            first = int(chance.integers(count - number + 1))
            return torch.arange(first, first + number)
        kinds = self.kinds[count].numpy()
        large = [k for k in np.unique(kinds) if (kinds == k).sum() >= number]
        among = np.flatnonzero(kinds == chance.choice(large)) if kind == OF_A_KIND and large else np.arange(count)
        return torch.from_numpy(np.sort(chance.choice(among, number, replace=False)))


@dataclass(frozen=True)
class Effort:
    """How many plantings of each kind: where all rows are judged, in a sample, in the whole model.

    Attributes:
        numbers: that are judged in all rows, about: of a large tensor there are fewer plantings.
    """

    full: int = 6
    sampled: int = 40
    whole: int = 1
    numbers: float = 3e7

    def of(self, value: torch.Tensor) -> int:
        """Plantings where all of these are judged."""
        return max(min(3, self.full), min(self.full, int(self.numbers / max(1, value.numel()))))


def measure(
    every: Session, sampled: Session, effort: Effort, seed: int, progress: Callable[[str], None], blocks: Sequence[str] = BLOCKS,
    keep: Callable[[Confined], None] = lambda _: None, known: Sequence[Row] = (),
) -> Confined:  # fmt: skip
    """All of it, on one backend.

    Args:
        every: judges all rows; sampled: by default. They have one system, the same, and one backend.
        known: what was measured already.
    """
    began, (system,), (backend,) = time.perf_counter(), tuple(every.systems), every.backend_names
    kept, places, rows = Sampled(sampled, system), Places(every, system), list[Row]()
    wholes = {fmt: Whole(every, system, backend, fmt) for fmt in (f.name for f in every.formats)} if effort.whole else {}
    edges = every.graph(system)["edge_index"].shape[1]

    def document() -> Confined:
        return Confined(
            schema_version=2, environment=describe(str(every.device)), model={"name": every.options.model, "digest": every.model.digest},
            system=system, atoms=every.systems[system].atoms, edges=edges, rows=rows, seconds=round(time.perf_counter() - began, 1),
        )  # fmt: skip

    done = {(row.block, row.format, row.share): row for row in known}
    for fmt, block in itertools.product((f.name for f in every.formats), blocks):
        key = CellKey(system, block, backend, fmt, FORWARD)
        wanted = [share for share in SHARES if (block, fmt, share) not in done]
        rows += [done[block, fmt, share] for share in SHARES if share not in wanted]
        if not wanted:
            continue
        full, part, at_full = Judged(every, key, None), Judged(sampled, key, kept), AtFull(sampled, key)
        for share in wanted:
            progress(f"{block} {fmt}, {share:.1%} of rows")
            chances = [seed_of("confined", seed, block, share, n) for n in range(effort.sampled)]
            chosen = {kind: [places.of(len(full.value), share, kind, chance) for chance in chances] for kind in (SCATTERED, OF_A_KIND, BY_NUMBER)}
            rows.append(_one(full, part, at_full, wholes.get(fmt), chosen, share, effort))
            keep(document())
    return document()


def _one(
    full: Judged, part: Judged, at_full: AtFull, whole: Whole | None, chosen: Mapping[str, Sequence[torch.Tensor]], share: float, effort: Effort
) -> Row:  # fmt: skip
    """Every way of looking at faults in one share of the rows."""
    scale = full.scale()
    there = torch.full((len(full.value),), -1)
    there[part.rows] = torch.arange(len(part.rows))
    near = 8.0

    def wrong(rows: torch.Tensor, number: int) -> torch.Tensor:
        """What is added at size 1."""
        own = scale[rows]
        return own * torch.randn(own.shape, dtype=own.dtype, generator=torch.Generator().manual_seed(number))

    def by(judged: Judged | AtFull, where: torch.Tensor, error: torch.Tensor) -> float:
        nonlocal near
        found = smallest(lambda size: judged.red(where, size * error), near) if len(where) else math.inf
        near = found if math.isfinite(found) else near
        return found

    every = [by(full, rows, wrong(rows, n)) for n, rows in enumerate(chosen[SCATTERED][: effort.of(full.value)])]
    few = 3 * effort.of(full.value)
    at = {kind: [by(at_full, rows, wrong(rows, n)) for n, rows in enumerate(chosen[kind][:few])] for kind in (SCATTERED, BY_NUMBER)}
    found, met = {}, {}
    for kind in (SCATTERED, OF_A_KIND):
        sizes = []
        for n, rows in enumerate(chosen[kind]):
            places = there[rows]
            sizes.append(by(part, places[places >= 0], wrong(rows, n)[places >= 0]))
        found[kind], met[kind] = half(sizes), sum(bool((there[rows] >= 0).any()) for rows in chosen[kind]) / max(1, len(chosen[kind]))
    orders: list[float] = []
    for n, rows in enumerate(chosen[BY_NUMBER][: effort.whole] if whole is not None else []):
        orders.append(whole.smallest(full.key.block, rows, wrong(rows, n)))  # type: ignore[union-attr]  # none without
    return Row(
        block=full.key.block, format=full.key.format, share=share, rows=len(full.value), sampled=len(part.value), every=half(every),
        scattered=found[SCATTERED], of_a_kind=found[OF_A_KIND], met=met[SCATTERED], met_of_a_kind=met[OF_A_KIND],
        by_number=half(orders) if orders else None, at_full=half(at[SCATTERED]), by_number_at_full=half(at[BY_NUMBER]),
        asked=[len(every), effort.sampled, len(at[SCATTERED]), len(orders)],
    )  # fmt: skip
