"""The precision check of one model on one system: enumerate its cells and judge each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._errors import error_line
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends import BackendModel, lacking
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.slots import PLAIN, weight_groups
from mpcheck.checks.engaged import engaged
from mpcheck.checks.faults_data import class_names, settle
from mpcheck.checks.metrics import Layout, compare, with_arithmetic
from mpcheck.checks.names import PRECISION
from mpcheck.checks.refusing import no_operation, usable
from mpcheck.checks.replay import BACKWARD, DIRECTIONS, replay
from mpcheck.checks.scale import noise_scale
from mpcheck.findings import Finding
from mpcheck.formats import Format
from mpcheck.records import Cell, Quantity
from mpcheck.reference.library import BlockReference, Library
from mpcheck.tolerances import Tolerances, limits_for


@dataclass(frozen=True)
class CellKey:
    """Which cell: everything but the model."""

    system: str
    block: str
    backend: str
    format: str
    direction: str


@dataclass(frozen=True)
class Counts:
    """Sizes that tell what the first axis of a tensor counts."""

    atoms: int
    edges: int
    graphs: int

    def rows(self, extent: int) -> str:
        """``atom``, ``edge``, ``graph`` or ``row``."""
        names = {self.graphs: "graph", self.atoms: "atom", self.edges: "edge"}
        return names.get(extent, "row")


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
    """Judges cells of one model on one system."""

    def __init__(self, library: Library, counts: Counts, tolerances: Tolerances, backend: Callable[[str], BackendModel | Unsupported]) -> None:
        """Args:
        library: float64 references.
        counts: sizes of the system.
        backend: the built backend by name, or the reason why it is not to be had.
        """
        self.library = library
        self.counts = counts
        self.tolerances = tolerances
        self.backend = backend

    def judge(self, key: CellKey, fmt: Format) -> Cell:
        """One cell; upstream's faults that are on record are told as such, and are no failure."""
        return self._settled(self._judge(key, fmt))

    def _judge(self, key: CellKey, fmt: Format) -> Cell:
        """Replay one cell and compare every quantity with its reference."""
        block = self.library.block(key.block)
        base: dict[str, Any] = {
            "block": key.block,
            "role": block.role,
            "kind": block.kind,
            "backend": key.backend,
            "format": key.format,
            "accumulation": fmt.accumulation,
            "direction": key.direction,
            "system": key.system,
        }
        backend = usable(self.library, self.backend(key.backend), block, fmt)
        if isinstance(backend, Unsupported):
            return _refused(base, backend)
        reference = self.library.get(key.block)
        names = [n for n in reference.values if n.startswith(("grad.", "weight.")) == (key.direction == BACKWARD)]
        if not any(reference.values[n].numel() for n in names):
            empty = Unsupported("empty", "empty tensors on this system")
            return _refused(base, empty if names else Unsupported("no-gradient", "no gradient: nothing in it depends on a floating-point input"))
        if (peak := reference.peaks[key.direction]) > fmt.largest:
            return _refused(base, Unsupported("out-of-range", f"range: values on the way reach {peak:.3g}, {fmt.name} holds {fmt.largest:.6g}"))
        began = time.perf_counter()
        try:
            with engaged(backend, block) as other:
                low = replay(backend, reference, fmt, key.direction)
        except (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError, AssertionError) as error:
            return self._raised(base, error, time.perf_counter() - began)
        seconds = time.perf_counter() - began
        quantities = self.compare_all(reference, backend, low, names, fmt, key)
        failures = [f"{q.name}: {q.failures[0]}" for q in quantities if q.failures]
        reason = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
        return Cell(
            **base,
            verdict="fail" if failures else "degraded" if other else "pass",
            reason=reason or "".join(other),
            lacking=backend.name if other else lacking(backend, block),
            note=backend.note(block, fmt),
            seconds=round(seconds, 6),
            quantities=quantities,
        )

    def compare_all(
        self, reference: BlockReference, backend: BackendModel, low: Tensors, names: Sequence[str], fmt: Format, key: CellKey
    ) -> list[Quantity]:
        """Every quantity that the backend has, and a failure for each that it lost."""
        block = reference.block
        own = set(backend.reference_gradients(block, {n: p.detach() for n, p in backend.parameters(block).items()}))
        limits = limits_for(self.tolerances, key.block, key.backend, key.format, key.direction)
        roundoff = backend.roundoff(block, fmt)
        # where parameters go through the converter's map first, what is stored is not what the reference can round
        arithmetic = fmt.accumulation == "wide" and fmt.operand_bits is None and not roundoff["converted"]
        rounded = self.library.rounded(key.block, fmt.storage) if arithmetic else None
        found = []
        for name in names:
            value = reference.values[name]
            if name.startswith("weight.") and name.split(".", 2)[2] not in own:
                continue  # the backend parametrises the block otherwise; what it has instead is in the reference too
            if not value.numel():
                continue
            if name not in low:
                if self._no_path(block, name, backend):
                    continue
                low_value = torch.full_like(value, float("nan"))
            else:
                low_value = low[name]
            scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, value)
            quantity = compare(name, low_value.to(value.device), value, scale, fmt, limits, self._layout(block, backend, name, value))
            if rounded is not None and name in rounded and not quantity.failures:
                narrow = noise_scale(reference.noise[name], reference.statistics[name], {**roundoff, "stored": 0.0}, value)
                quantity = with_arithmetic(quantity, low_value.to(value.device), rounded[name], narrow, fmt, limits)
            found.append(quantity)
        return found

    @staticmethod
    def _no_path(block: Block, name: str, backend: BackendModel) -> bool:
        """Element selectors are indices, not one-hot products, in some backends: no gradient flows to them."""
        argument = name.split(".", 2)[-1]
        return name.startswith("grad.") and backend.name != "e3nn" and argument in ("y", "node_attrs") and "contraction" in _roles(block)

    def _layout(self, block: Block, backend: BackendModel, name: str, value: torch.Tensor) -> Layout:
        shape = tuple(value.shape)
        rows = self.counts.rows(shape[0]) if shape else "scalar"
        kind, _, rest = name.partition(".")
        if kind == "weight":
            module = self.library.backend.module(block)
            _, _, parameter = rest.partition(".")
            owner, _, leaf = parameter.rpartition(".")
            inner = module.get_submodule(owner) if module is not None and not parameter.startswith("cueq:") else None
            groups = weight_groups(inner, leaf, value.numel()) if len(shape) == 1 else []
            return Layout(PLAIN, groups, "weight", flat=True)
        slot = block.input_slot(rest.partition(".")[2]) if kind == "grad" else block.output_slot(name)
        return Layout(slot, slot.groups(shape), rows)

    @staticmethod
    def _raised(base: dict[str, Any], error: Exception, seconds: float) -> Cell:
        """A block that cannot run: in a type without the operation; else a failure."""
        if why := no_operation(error):
            return _refused({**base, "seconds": seconds}, why)
        return Cell(**base, verdict="fail", reason=f"raised {error_line(error)}", seconds=seconds)

    def _settled(self, cell: Cell) -> Cell:
        """What :func:`settle` makes of a cell; one that shows a known fault judges nothing, whether it raised or erred."""
        names: dict[str, Any] = {
            "subject": cell.block,
            "backend": cell.backend,
            "format": cell.format,
            "system": cell.system,
            "variant": cell.direction,
        }
        if cell.verdict not in ("pass", "fail"):
            return cell
        told = Finding(check=PRECISION, **names, verdict="fail" if cell.verdict == "fail" else "pass", reason=cell.reason)
        first, *stale = settle([told], class_names(self.library.backend.model))
        if first.verdict == "known-fault":
            return cell.model_copy(update={"verdict": "unsupported", "reason": first.reason})
        return cell.model_copy(update={"verdict": "fail", "reason": stale[0].reason}) if stale else cell


def _refused(base: dict[str, Any], why: Unsupported) -> Cell:
    return Cell(**base, verdict="unsupported", reason=why.text, lacking=why.lacking)


def _roles(block: Block) -> str:
    return "contraction" if block.class_name in ("SymmetricContraction", "EquivariantProductBasisBlock") else block.role
