"""Size: blocks on more rows than 16 bits count and on numbers of rows about powers of two, and whole models on large crystals.

Kernels split rows into tiles and number them in narrow types: the last tile, a row count of one, and rows beyond 65,535 are where they go
wrong, and no structure of a test has so many. The rows are those that the block got, drawn again and again, so that what each must give is
known from the same arithmetic on few of them; sums in another order are allowed the block's own noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.audit.rows import Made, Rows, results, rows_of
from mpcheck.checks.audit.supercell import SUPERCELL, supercell
from mpcheck.checks.physics.structure import rms
from mpcheck.formats import FLOAT32, FLOAT64, Component, Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.metrics import widened
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.library import BlockReference
from mpcheck.reference.noise import seed_of

NAME = "size"
FORMATS = (FLOAT64, FLOAT32)
POWERS = (3, 5, 6, 7, 8, 10)
FEW = (1, *(2**k + d for k in POWERS for d in (-1, 0, 1)))
MANY = 2**16 + 37  # of no tile's width a multiple
COMPARED = 1024  # of so many rows, besides the last ones and those about powers of two
MOST_BYTES = 4e9  # of all tensors that a call makes: some seconds; a part of it is held at once
ABOUT_POWERS, BEYOND = "powers of two", "beyond 65,535"


def keys(context: Context) -> list[Key]:
    """Blocks of the smallest system whose atoms and edges can be told apart, then a large crystal, on every backend."""
    told = [name for name in context.systems if 0 < context.counts(name).edges != context.counts(name).atoms]
    if not told:
        return [Key(NAME, SUPERCELL, backend, FLOAT64.name) for backend in context.backend_names]
    system = min(told, key=lambda name: context.systems[name].atoms)
    formats = [f.name for f in FORMATS if f in context.formats]
    blocks = [block.name for block in context.blocks(system) if block.kind != "composite"]
    cells = [Key(NAME, block, backend, fmt, system) for block in blocks for backend in context.backend_names for fmt in formats]
    return [*cells, *(Key(NAME, SUPERCELL, backend, FLOAT64.name) for backend in context.backend_names)]


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One block in one format, or one backend's large crystal."""
    if key.subject == SUPERCELL:
        return supercell(context, key)
    library = context.library(key.system)
    block, fmt = library.block(key.subject), next(f for f in FORMATS if f.name == key.format)
    backend = usable(library, context.backend(key.backend), block, fmt)
    if isinstance(backend, Unsupported):
        return [refused(key.about, backend)]
    reference = library.get(block.name)
    rows = rows_of(reference, replace(context.counts(key.system), **library.rows(block.name)))
    if rows is None:
        return [refused(key.about, Unsupported("not-applicable", "its results are not rows of their own: `reductions` has the sums"))]
    found = attempt(lambda: list(_judged(context, key, backend, reference, fmt, rows)))
    return [raised(key.about, found)] if isinstance(found, Raised) else found


def _judged(context: Context, key: Key, backend: BackendModel, reference: BlockReference, fmt: Format, rows: Rows) -> Iterator[Record]:
    roundoff: dict[Component, float] = {c: u for c, u in backend.roundoff(reference.block, fmt).items() if c != "stored"}  # arguments are the same
    with backend.prepared(reference.block, fmt):
        base = results(backend, reference, fmt, rows, torch.arange(rows.count))
        scales = {n: noise_scale(reference.noise[n], reference.statistics[n], roundoff, reference.values[n]) for n in base if n in reference.noise}
        comparison = _Comparison(context, key, base, scales, reference.block.name)
        for count in FEW:
            comparison.add(count, backend, reference, fmt, rows)
        yield comparison.record(ABOUT_POWERS, FEW, {"zero_rows": _of_nothing(backend, reference, fmt, rows)})
        # a backward pass takes twice the memory and time: in the format that production runs in, and where there is room
        needed = {}
        for backward in (True, False) if fmt is FLOAT32 else (False,):
            with Made() as made:
                results(backend, reference, fmt, rows, torch.arange(rows.count), backward)
            needed[backward] = made.total * MANY // max(1, rows.count)
        fitting = [backward for backward, size in needed.items() if size <= MOST_BYTES]
        if not fitting:
            reason = f"{MANY:,} rows would take tensors of {min(needed.values()) / 1e9:.2g} GB together, {MOST_BYTES / 1e9:.2g} GB at most"
            yield refused({**key.about, "variant": BEYOND}, Unsupported("not-applicable", reason))
            return
        backward = fitting[0]
        comparison = _Comparison(context, key, base, scales, reference.block.name)
        comparison.add(MANY, backend, reference, fmt, rows, backward)
        yield comparison.record(BEYOND, (MANY,), {"backward": backward})


def _of_nothing(backend: BackendModel, reference: BlockReference, fmt: Format, rows: Rows) -> str:
    """What becomes of no rows at all, which not every block allows."""
    found = attempt(lambda: results(backend, reference, fmt, rows, torch.zeros(0, dtype=torch.long)))
    return f"raised {found.text}" if isinstance(found, Raised) else "allowed"


def _compared(count: int, generator: torch.Generator) -> torch.Tensor:
    """All rows; of very many a random choice, the last ones, and those about powers of two."""
    if count <= 2 * COMPARED:
        return torch.arange(count)
    about = [torch.arange(2**k - 2, 2**k + 2) for k in range(2, count.bit_length()) if 2**k + 2 <= count]
    last = torch.arange(min(count - 256, 2**16 - 2), count)
    chosen: torch.Tensor = torch.unique(torch.cat([*about, last, torch.randint(count, (COMPARED,), generator=generator)]))
    return chosen


class _Comparison:
    """Results of several numbers of rows with those of the rows alone: the worst of them."""

    def __init__(self, context: Context, key: Key, base: Tensors, scales: dict[str, Scale], block: str) -> None:
        self.context, self.key, self.base, self.scales = context, key, base, scales
        limits = {
            n: limits_for(context.tolerances, block, key.backend, key.format, "backward" if n.startswith("grad.") else "forward").rms for n in base
        }
        self.limits = {n: widened(limits[n], scales[n].spread) if n in scales else 1.0 for n in base}
        self.worst, self.ratio, self.limit, self.equal = "", 0.0, 1.0, True

    def add(self, count: int, backend: BackendModel, reference: BlockReference, fmt: Format, rows: Rows, backward: bool = True) -> None:
        """Compute so many rows, drawn from those that there are, and compare them, or of very many a choice, with what they gave."""
        generator = torch.Generator().manual_seed(seed_of("size", self.context.seed, count))
        chosen = torch.randint(rows.count, (count,), generator=generator)
        found = results(backend, reference, fmt, rows, chosen, backward)
        compared = _compared(count, generator)
        for name, expected in self.base.items():
            if name in self.scales and (backward or not name.startswith("grad.")):
                self._judge(name, found.get(name), expected, chosen, compared)

    def _judge(self, name: str, got: torch.Tensor | None, expected: torch.Tensor, chosen: torch.Tensor, compared: torch.Tensor) -> None:
        count, ratio, where = len(chosen), math.inf, "is missing"
        if got is not None and got.shape == (count, *expected.shape[1:]):
            s, at = self.scales[name].s, chosen[compared]
            mine, alone = got[compared.to(got.device)].cpu().to(torch.float64), expected[at.to(expected.device)].cpu().to(torch.float64)
            off, allowed = mine - alone, math.sqrt(2.0) * rms(s[at.to(s.device)])
            self.equal = self.equal and bool(torch.equal(mine, alone))
            ratio = 0.0 if not bool(off.any()) else (rms(off) / allowed if allowed > 0 else math.inf)
            row = int(compared[off.abs().reshape(len(off), -1).amax(1).nan_to_num(nan=math.inf).argmax()])
            where = f"differs from the same rows alone, most in row {row:,}"
        ratio = ratio if ratio == ratio else math.inf
        if not self.worst or ratio * self.limit > self.ratio * self.limits[name]:
            self.worst, self.ratio, self.limit = f"{name} of {count:,} rows {where}", ratio, self.limits[name]

    def record(self, variant: str, counts: tuple[int, ...], more: dict[str, str | bool]) -> Record:
        """The finding."""
        sound = self.ratio <= self.limit
        metrics: dict[str, float | str | bool] = {"rows": float(max(counts)), "bit_identical": self.equal, **more}
        return Record(
            **self.key.about, variant=variant, verdict="pass" if sound else "fail", ratio=self.ratio if math.isfinite(self.ratio) else None,
            limit=self.limit, detail=figures(metrics), worst="" if sound else self.worst, reason="" if sound else f"{self.key.subject}: {self.worst}",
        )  # fmt: skip


INSPECTION = Inspection(NAME, keys, run)
