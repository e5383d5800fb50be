"""What must not matter to the whole model: how each tensor of a graph lies in memory.

Neighbour lists, collate functions and MD engines hand over cells that are transposed, positions that are slices of longer rows,
and indices that are columns of a table. A model that reads one of them with strides that it assumes gets other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations, count
from typing import Any

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.physics.inputs import orderable
from mpcheck.checks.physics.strides import columns_first, every_other
from mpcheck.checks.physics.structure import DRAWS, Case, difference_ratio, limit_of
from mpcheck.judge.compared import Compared
from mpcheck.judge.metrics import bits_digest
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of

MODES: Mapping[str, dict[str, bool]] = {
    "plain": {"compute_force": True},
    # every output that upstream derives with a strain; it replaces positions and shifts by its own on the way
    "strained": dict.fromkeys(("compute_force", "compute_virials", "compute_stress", "compute_edge_forces", "compute_atomic_stresses"), True),
}
SOME = "some, the rest contiguous"


def within(t: torch.Tensor) -> torch.Tensor:
    """The same values inside a longer and wider tensor, which does not begin with them and is NaN (-1) elsewhere."""
    fill = math.nan if t.is_floating_point() else -1
    wide = torch.full([n + 2 for n in t.shape], fill, dtype=t.dtype, device=t.device)
    inside = wide[tuple(slice(1, n + 1) for n in t.shape)]
    inside.copy_(t)
    return inside


def equal_rows(t: torch.Tensor) -> torch.Tensor:
    """The first row for all of them, where they are equal, without copying it: stride 0."""
    return t[:1].clone().expand_as(t) if len(t) > 1 and bool((t == t[:1]).all()) else t


LAYOUTS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "every other element": every_other, "columns first": columns_first, "within a wider tensor": within, "expanded": equal_rows,
}  # fmt: skip


class _Reads(dict[str, torch.Tensor]):
    """A graph that notes which tensors a model reads before it replaces them by its own."""

    def __init__(self, graph: Mapping[str, torch.Tensor]) -> None:
        super().__init__(graph)
        self.read: set[str] = set()
        self.own: set[str] = set()

    def __getitem__(self, key: str) -> torch.Tensor:
        if key not in self.own:
            self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dictionary's."""
        if key not in self.own:
            self.read.add(key)
        return super().get(key, default)

    def __setitem__(self, key: str, value: torch.Tensor) -> None:
        self.own.add(key)
        super().__setitem__(key, value)


def outputs(model: torch.nn.Module, graph: Tensors, flags: Mapping[str, bool]) -> tuple[Tensors, set[str]]:
    """Floating-point outputs of a model by upstream's names, and which tensors it read.

    Args:
        graph: not copied, so that strides stay as they are.
        flags: of upstream's forward.
    """
    data = _Reads({k: v.detach() for k, v in graph.items()})
    with quiet():
        out: dict[str, Any] = model(data, **flags)
    tensors = {k: v.detach() for k, v in out.items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
    return tensors, data.read if data.read else set(graph)


def frames_of(case: Case) -> dict[str, list[Atoms]]:
    """Two crystals whose cells are lopsided, so that no transposed cell is itself; and one molecule of one element, whose node
    attributes, shifts and batch have equal rows.
    """
    elements, r_max = case.context.model.elements, case.context.model.r_max
    places = torch.tensor([[0, 0, 0], [0.4, 0.1, 0], [0.1, 0.5, 0.2], [0.6, 0.6, 0.1], [0.3, 0.2, 0.55]], dtype=torch.float64)
    cell = torch.tensor([[1.1, 0.1, 0.2], [-0.2, 1.2, 0.1], [0.3, -0.1, 1.0]], dtype=torch.float64) * r_max
    crystals = []
    for turn in range(2):
        symbols = [elements[(i + turn) % len(elements)] for i in range(5 - turn)]
        rows = places[: 5 - turn].roll(turn, dims=1) * r_max
        crystals.append(Atoms(symbols, rows.numpy(), cell=(cell * (1 + 0.05 * turn)).numpy(), pbc=True))
    return {"crystals": crystals, "molecule": [Atoms([elements[-1]] * 4, (places[:4] * r_max).numpy())]}


def moved(graph: Tensors, layout: str) -> Tensors:
    """The tensors that a layout changes, in that layout."""
    tensors = {}
    for name, tensor in graph.items():
        new = LAYOUTS[layout](tensor) if tensor.dim() else tensor
        if (new.stride(), new.storage_offset()) != (tensor.stride(), tensor.storage_offset()):
            tensors[name] = new
    return tensors


def _some(graph: Tensors, read: set[str]) -> Iterator[Tensors]:
    """A few selections of the tensors that a model reads, such that for any two, one selection has the first without the second.

    That is so where no selection code contains another (Sperner): codes of as many ones as fit half of their length.
    """
    names = sorted(read & set(graph))
    length = next(n for n in count(2) if math.comb(n, n // 2) >= len(names))
    codes = dict(zip(names, combinations(range(length), length // 2), strict=False))
    columns, elements = moved(graph, "columns first"), moved(graph, "every other element")
    for place in range(length):
        chosen = [n for n in names if place in codes[n]]
        yield {n: layout[n] for n in chosen for layout in (columns if n in columns and place % 2 else elements,) if n in layout}


def _variants(graph: Tensors, read: set[str]) -> Iterator[tuple[str, Tensors]]:
    """Layouts by name, and the tensors that they change: all at once in one layout, then some in one and the rest plain."""
    for layout in LAYOUTS:
        yield layout, moved(graph, layout)
    for changed in _some(graph, read):
        yield SOME, changed


def _scales(case: Case, graph: Tensors, mode: str) -> Tensors:
    """RMS rounding error of every output, element by element, in float64, of the reference backend."""
    model = case.context.reference_backend.model

    def values() -> Tensors:
        return outputs(model, graph, MODES[mode])[0]

    return deviation(disturbed(values), values(), [seed_of("strided-model", case.context.seed, mode, draw) for draw in range(DRAWS)])


@dataclass(frozen=True)
class _StrideEffect(Compared):
    """What one call with another layout said: an output's difference in units of its scale and what is allowed of it, or an error."""

    ratio: float = 0.0
    limit: float = 1.0
    tensors: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class _StridedCalls:
    """Judges calls with other layouts against one with contiguous tensors."""

    case: Case
    graph: Tensors
    mode: str
    base: Tensors
    scales: Callable[[], Tensors]

    def call(self, changed: Tensors) -> _StrideEffect:
        """One call."""
        called = attempt(lambda: outputs(self.case.model, {**self.graph, **changed}, MODES[self.mode]))
        if isinstance(called, Raised):
            return _StrideEffect(math.inf, 1.0, tuple(changed), f"the model raised {called.text!r}: it minds how")
        results, _ = called
        worst = _StrideEffect()
        for name, value in self.base.items():
            if name in results and bits_digest(results[name]) == bits_digest(value):
                continue
            lost = name not in results or results[name].shape != value.shape
            ratio = math.inf if lost else orderable(difference_ratio(results[name], value, self.scales()[name]))
            said = f"{name} {'is missing' if name not in results else 'has another shape'}, which" if lost else name
            seen = _StrideEffect(ratio, limit_of(self.case, value.numel()), tuple(changed), f"{said} depends on how")
            worst = max(worst, seen, key=lambda s: s.share)
        return worst

    def named(self, changed: Tensors) -> _StrideEffect:
        """One call, and where it fails, the one tensor that does it alone, if there is one."""
        seen = self.call(changed)
        if seen.share <= 1.0 or len(changed) == 1:
            return seen
        alone = max((self.call({name: tensor}) for name, tensor in changed.items()), key=lambda s: s.share)
        return alone if alone.share > 1.0 else seen


def strided_model(case: Case) -> list[Record]:
    """Every output of the whole model on graphs of which some tensors are not contiguous, against contiguous ones.

    All tensors at once in each layout; then selections, because a kernel that looks at one tensor's strides may assume another's.
    Where one fails, its tensors are tried one by one, so that the one at fault is named. A Hessian is not asked for: it takes a
    backward pass for each coordinate, through the same forces.
    """
    worst: dict[str, _StrideEffect] = dict.fromkeys((*LAYOUTS, SOME), _StrideEffect())
    calls = dict.fromkeys(worst, 0)
    for kind, frames in frames_of(case).items():
        graph = {k: v.contiguous() for k, v in case.graph(*frames).items()}
        for mode in MODES:
            base, read = outputs(case.model, graph, MODES[mode])
            judge = _StridedCalls(case, graph, mode, base, cache(partial(_scales, case, graph, mode)))
            for layout, changed in _variants(graph, read):
                if changed and (layout == "expanded") == (kind == "molecule"):
                    calls[layout] += 1
                    worst[layout] = max(worst[layout], judge.named(changed), key=lambda s: s.share)
    records = []
    for layout, seen in worst.items():
        names = seen.tensors[0] if len(seen.tensors) == 1 else " and ".join(seen.tensors) + " together"
        reason = f"{seen.said} {names} {'lies' if len(seen.tensors) == 1 else 'lie'} in memory ({layout})"
        metrics: dict[str, float | str | bool] = {"calls": float(calls[layout])}
        records.append(case.finding(seen.ratio, limit=seen.limit, variant=layout, worst=" ".join(seen.tensors), reason=reason, metrics=metrics))
    return records
