"""The precision check of one model on one system: its cells, and what a replay of each is by the limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from mpcheck._names import PRECISION
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.parts import parts_of
from mpcheck.formats import Format
from mpcheck.judge.context import Counts
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.engaged import engaged
from mpcheck.judge.metrics import absent, compare, with_arithmetic
from mpcheck.judge.native_sums import EQUAL_TERMS, equal_terms
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.judge.replay import BACKWARD, DIRECTIONS, FORWARD, Calls, replay_calls
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import Tolerances, limits_for
from mpcheck.records import tensors as records
from mpcheck.records.record import Record, of_tensors
from mpcheck.records.tensors import Quantity
from mpcheck.reference.faults import ReferenceFaultError
from mpcheck.reference.library import BlockReference, Library


@dataclass(frozen=True)
class CellKey:
    """Which cell: everything but the model."""

    system: str
    block: str
    backend: str
    format: str
    direction: str

    @property
    def id(self) -> str:
        """As its record's: ``SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION``."""
        return f"{self.system}/{self.block}-{self.backend}-{self.format}-{self.direction}"

    @property
    def about(self) -> dict[str, Any]:
        """As fields of its record."""
        names = {"subject": self.block, "backend": self.backend, "format": self.format, "system": self.system, "variant": self.direction}
        return {"check": PRECISION, **names}


def cell_keys(blocks: Sequence[Block], system: str, backends: Sequence[str], formats: Sequence[str]) -> list[CellKey]:
    """All cells of a system, block by block so that one reference serves all its cells in a row."""
    return [
        CellKey(system, block.name, backend, fmt, direction)
        for block in blocks
        for backend in backends
        for fmt in formats
        for direction in DIRECTIONS
    ]


class PrecisionCheck:
    """Replays cells of one model on one system and judges them by the limits."""

    def __init__(self, library: Library, counts: Counts, tolerances: Tolerances, backend: Callable[[str], BackendModel | Unsupported]) -> None:
        """Args:
        library: float64 references.
        counts: sizes of the system.
        backend: the built backend by name, or the reason why it is unavailable.
        """
        self.library = library
        self.counts = counts
        self.tolerances = tolerances
        self.backend = backend
        self._outputs: tuple[tuple[str, ...], Tensors] = ((), {})  # of the last forward replay

    def replayed(self, key: CellKey, fmt: Format) -> Record:
        """One cell replayed, every quantity compared with its reference and judged by the limits."""
        block = self.library.block(key.block)
        compared = records.Tensors(role=block.role, block=block.kind, accumulation=fmt.accumulation)
        base: dict[str, Any] = {**key.about, "detail": compared}
        backend = usable(self.library, self.backend(key.backend), block, fmt)
        if isinstance(backend, Unsupported):
            return refused(base, backend)
        try:
            reference = self.library.get(key.block)
            self._emulated(block, fmt)  # so that it is there for who is judged by this code, whatever becomes of the replay
        except ReferenceFaultError as error:
            return Record(**base, verdict="fail", reason=str(error))
        names = [n for n in reference.values if n.startswith(("grad.", "weight.")) == (key.direction == BACKWARD)]
        if (nothing := _nothing_to_judge(reference, names, fmt, key.direction)) is not None:
            return refused(base, nothing)
        began = time.perf_counter()

        def replayed() -> tuple[Calls, list[str]]:
            with engaged(backend, block) as other:
                return replay_calls(backend, reference, fmt, key.direction), other

        ran = attempt(replayed)
        if isinstance(ran, Raised):
            return raised({**base, "seconds": time.perf_counter() - began}, ran)
        calls, other = ran
        seconds = time.perf_counter() - began
        quantities = self.compare_all(reference, backend, calls.results, names, fmt, key)
        quantities = self._with_later(quantities, calls, reference, backend, fmt, key)
        failures = [f"{q.name}: {q.failures[0]}" for q in quantities if q.failures]
        cause = self._cause(key, backend, reference, fmt, calls.results) if failures else ""
        reason = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
        return of_tensors(
            quantities, compared, **key.about, verdict="fail" if failures else "degraded" if other else "pass", cause=cause,
            reason=reason or "".join(other),
            lacking=backend.name if other else backend.lacking(block), note=backend.note(block, fmt), seconds=round(seconds, 6),
        )  # fmt: skip

    def _cause(self, key: CellKey, backend: BackendModel, reference: BlockReference, fmt: Format, results: Tensors) -> str:
        """What failed results come from, where they are what another computation gives; empty where nobody knows."""
        limits = limits_for(self.tolerances, key.block, key.backend, key.format, key.direction)
        return EQUAL_TERMS if key.direction == FORWARD and equal_terms(backend, reference, fmt, results, limits) else ""

    def _with_later(
        self, quantities: list[Quantity], calls: Calls, reference: BlockReference, backend: BackendModel, fmt: Format, key: CellKey
    ) -> list[Quantity]:
        """A cell's quantities with what only a later call gets wrong.

        Bits that are those of the call that is judged already, or of the forward cell's before this backward one, need no second judging.
        """
        place = (key.system, key.block, key.backend, key.format)
        known, self._outputs = self._outputs, (place, calls.results if key.direction == FORWARD else {})
        first = calls.results if key.direction == FORWARD else known[1] if known[0] == place else None
        if first is not None and _same_bits(first, calls.later):
            return quantities
        if key.direction == FORWARD and any(q.failures for q in quantities):
            return quantities
        names = [n for n in reference.values if not n.startswith(("grad.", "weight."))]
        later = self.compare_all(reference, backend, calls.later, names, fmt, replace(key, direction=FORWARD))
        wrong = {q.name: q.model_copy(update={"failures": [f"in a later call: {f}" for f in q.failures]}) for q in later if q.failures}
        return [wrong.pop(q.name, q) for q in quantities] + list(wrong.values())

    def compare_all(
        self, reference: BlockReference, backend: BackendModel, low: Tensors, names: Sequence[str], fmt: Format, key: CellKey
    ) -> list[Quantity]:
        """Every quantity that the backend has, and a failure for each that it lost."""
        block = reference.block
        own = set(backend.reference_gradients(block, {n: p.detach() for n, p in backend.parameters(block).items()}))
        limits = limits_for(self.tolerances, key.block, key.backend, key.format, key.direction)
        roundoff, emulated = backend.roundoff(block, fmt), self._emulated(block, fmt)
        rounded = {} if roundoff["converted"] else self.library.rounded(key.block, fmt.storage) if emulated else {}
        quantities = []
        for name in names:
            value = reference.values[name]
            if name.startswith("weight.") and name.split(".", 2)[2] not in own:
                continue  # the backend parametrises the block otherwise; what it has instead is in the reference too
            if not value.numel():
                continue
            if name not in low and self._no_path(block, name, backend):
                continue
            zero = name.startswith(("grad.", "weight.")) and not bool(value.any())
            if name not in low and not zero:
                quantities.append(absent(name, value))
                continue
            low_value = low.get(name, value)  # of nothing but zeros autograd may give none
            scale, layout = noise_scale(reference.noise[name], reference.statistics[name], roundoff, value), self._layout(block, name, value)
            if name in emulated:
                scale = scale.holding(emulated[name] - value, value, layout.parts())
            quantity = compare(name, low_value.to(value.device), value, scale, fmt, limits, layout)
            if name in rounded and not quantity.failures:
                narrow = noise_scale(reference.noise[name], reference.statistics[name], {**roundoff, "stored": 0.0}, value)
                narrow = narrow.holding(emulated[name] - rounded[name], rounded[name])
                quantity = with_arithmetic(quantity, low_value.to(value.device), rounded[name], narrow, fmt, limits)
            quantities.append(quantity)
        return quantities

    def _emulated(self, block: Block, fmt: Format) -> Tensors:
        """What a block makes of rounded inputs in a format that rounds each operation once; empty of any other format.

        A backend whose parameters go through its converter's map first loses as much: it adds the same numbers up. What it stores is
        not what the reference can round, so that its arithmetic is not judged apart.
        """
        return self.library.emulated(block.name, fmt.storage) if fmt.accumulation == "wide" and fmt.operand_bits is None else {}

    @staticmethod
    def _no_path(block: Block, name: str, backend: BackendModel) -> bool:
        """Element selectors are indices, not one-hot products, in some backends: no gradient flows to them."""
        argument = name.split(".", 2)[-1]
        return name.startswith("grad.") and backend.without_gradient(block, argument)

    def _layout(self, block: Block, name: str, value: torch.Tensor) -> ElementNames:
        shape = tuple(value.shape)
        parts = parts_of(block, self.library.backend.module(block), name, shape)
        counts = replace(self.counts, **self.library.rows(block.name))
        rows = "weight" if parts.flat else counts.rows(shape[0]) if shape else "scalar"
        return ElementNames(parts.slot, parts.groups, rows, parts.flat)


def _nothing_to_judge(reference: BlockReference, names: Sequence[str], fmt: Format, direction: str) -> Unsupported | None:
    """Why a block that can run has no results that a format could show to be wrong; None where it has."""
    if not names:
        return Unsupported("no-gradient", "no gradient: nothing in it depends on a floating-point input")
    if not any(reference.values[n].numel() for n in names):
        return Unsupported("empty", "empty tensors on this system")
    if (peak := reference.peaks[direction]) > fmt.largest:
        return Unsupported("out-of-range", f"range: values on the way reach {peak:.3g}, {fmt.name} holds {fmt.largest:.6g}")
    return None


def _same_bits(first: Tensors, later: Tensors) -> bool:
    """Whether two calls agree to the bit; what is not a number agrees with nothing."""
    return first.keys() == later.keys() and all(t.dtype == later[n].dtype and torch.equal(t, later[n]) for n, t in first.items())
