"""Conversion: e3nn -> cuEquivariance -> e3nn of every parameter and buffer, over a covering set of small architectures.

Each configuration is judged three times: ``keys`` (the round trip: names, shapes, dtypes, bits, nothing logged and skipped),
``weights`` (the twin's parameters against an explicit map) and ``blocks`` (the twin's blocks against the source's). The user's
own model makes the round trip too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.conversion import Comparison, Converted, parameters, round_trip, to_cueq, to_e3nn
from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.backends.protocol import get_backend, unavailable
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry.block_twins import distances
from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.judge.refusing import refused
from mpcheck.judge.upstream_limits import UpstreamLimit, load_limits
from mpcheck.records.detail import figures
from mpcheck.records.record import Record

CHECK = "conversion"
MODEL = "model"
CPU = torch.device("cpu")  # where configurations are converted: no kernel runs. The user's model is converted on the run's device
LAYOUTS: dict[str, Layout] = {"cueq": "ir_mul", "cueq-mul_ir": "mul_ir"}


@dataclass(frozen=True)
class Configuration:
    """A small architecture: interactions, correlation, largest hidden l, elements, whether the first block is residual, the
    backend whose layout it is converted to, and other fields of the architecture.
    """

    interactions: int
    correlation: int
    hidden_l: int
    elements: tuple[str, ...]
    residual: bool
    backend: str
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """``2 layers, correlation 3, L 1, 3 elements, residual``, short enough for a table."""
        block = "residual" if self.residual else "plain"
        parts = [f"n{self.interactions} c{self.correlation} L{self.hidden_l} {len(self.elements)}el {block}", *(v for _, v in self.changes)]
        return " ".join(parts)

    @property
    def architecture(self) -> Architecture:
        """Three channels (odd), so that a transpose that is right for square matrices only is wrong here."""
        hidden = " + ".join(f"3x{level}{'eo'[level % 2]}" for level in range(self.hidden_l + 1))
        first = "RealAgnosticResidualInteractionBlock" if self.residual else "RealAgnosticInteractionBlock"
        fields = dict(
            schema_version=1, name="configuration", elements=list(self.elements),
            atomic_energies={s: -1.5 * (i + 1) for i, s in enumerate(self.elements)}, r_max=4.0, num_bessel=3, max_ell=max(1, self.hidden_l),
            hidden_irreps=hidden, MLP_irreps="5x0e", correlation=self.correlation, num_interactions=self.interactions,
            interaction_cls_first=first, radial_MLP=[5], avg_num_neighbors=7.3, atomic_inter_scale=0.7, atomic_inter_shift=-0.1, weights_seed=3,
        )  # fmt: skip
        return Architecture.model_validate({**fields, **dict(self.changes)})


ONE, MANY = ("H",), ("H", "C", "O")
# Every pair of two factors' levels that upstream can convert occurs, except L 2 with three interactions (ten seconds); the
# dearest pairs stand in the cheapest company: correlation 3 with L 2 in a layer that is not the last takes 17 s to build.
DESIGN = (
    Configuration(1, 2, 0, ONE, True, "cueq"),
    Configuration(2, 2, 1, ONE, True, "cueq-mul_ir"),
    Configuration(3, 2, 1, MANY, True, "cueq"),
    Configuration(1, 3, 2, MANY, True, "cueq-mul_ir"),
    Configuration(2, 3, 0, MANY, True, "cueq"),
    Configuration(3, 3, 0, ONE, False, "cueq-mul_ir"),
    Configuration(2, 2, 2, ONE, False, "cueq"),
    Configuration(1, 3, 1, MANY, False, "cueq"),
    # what upstream is known not to convert: each must still raise
    Configuration(1, 1, 0, ONE, True, "cueq"),
    Configuration(1, 2, 0, ONE, True, "cueq", (("radial_type", "gaussian"),)),
    Configuration(1, 2, 0, ONE, True, "cueq", (("radial_type", "chebyshev"),)),
    Configuration(1, 2, 0, ONE, True, "cueq", (("model", "MACE"),)),
)


def structure(elements: tuple[str, ...], seed: int) -> Atoms:
    """Five atoms in no symmetric place, 1 to 2 Å apart, of all the elements."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1.4, 0, 0], [0, 1.5, 0], [0, 0, 1.6], [1.2, 1.3, 1.4]])
    return Atoms([elements[i % len(elements)] for i in range(5)], corners + rng.normal(0, 0.1, corners.shape))


def _finding(base: dict[str, Any], variant: str, failures: list[str], ratio: float, limit: float, **metrics: Any) -> Record:
    reason = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
    shown = ratio if np.isfinite(ratio) else None
    return Record(**base, variant=variant, verdict="fail" if failures else "pass", reason=reason, ratio=shown, limit=limit, detail=figures(metrics))


def _unless_unmapped(finding: Record, comparison: Comparison) -> Record:
    """A pass that left out parameters whose map is not known is none."""
    if finding.verdict != "pass" or not comparison.unmapped:
        return finding
    reason = f"no invertible projection of {', '.join(comparison.unmapped)} is known: not compared"
    return finding.model_copy(update={"verdict": "inconclusive", "reason": reason})


def judged(source: torch.nn.Module, twin: Converted, returned: Converted, base: dict[str, Any]) -> list[Record]:
    """The round trip and the twin's parameters."""
    trip, own = round_trip(source, returned.model), parameters(source, twin.model)
    failures = [*(f"logged and skipped: {c}" for c in (*twin.complaints, *returned.complaints)), *trip.failures]
    return [
        _unless_unmapped(_finding(base, "keys", failures, trip.ratio, 1.0, tensors=trip.tensors), trip),
        _unless_unmapped(_finding(base, "weights", own.failures, own.ratio, 1.0, tensors=own.tensors), own),
    ]


def _blocks(context: Context, config: Configuration, source: torch.nn.Module, twin: torch.nn.Module, base: dict[str, Any]) -> Record:
    graph = make_graph([structure(config.elements, context.seed)], config.architecture.elements, config.architecture.r_max)
    wrapped = CueqModel(config.backend, source, twin, LAYOUTS[config.backend], CPU)
    found = distances(E3nnModel(source, CPU), wrapped, graph, context.tolerances, context.seed)
    worst = max(found, key=lambda d: (d.failed, d.ratio / d.limit))
    failures = [f"{d.block} {d.tensor}: rms ratio {d.ratio:.3g} > {d.limit:.3g}" for d in found if d.failed]
    made = _finding(base, "blocks", failures, worst.ratio, worst.limit, blocks=len({d.block for d in found}))
    return made.model_copy(update={"worst": f"{worst.block} {worst.tensor}"})


def judge_configuration(context: Context, config: Configuration, limits: list[UpstreamLimit]) -> list[Record]:
    """One configuration: three findings, or one where upstream cannot convert it or an entry of the limits is stale."""
    base: dict[str, Any] = {"check": CHECK, "subject": config.name, "backend": config.backend}
    known = [limit for limit in limits if limit.applies(config.architecture.model_dump())]
    source = build_model(config.architecture)
    try:
        twin = to_cueq(source, LAYOUTS[config.backend], CPU)
    except Exception as error:  # upstream raises whatever its constructors and index errors raise
        for limit in known:
            if limit.explains(error):
                return [refused(base, Unsupported("known-limit", f"{limit.id}: {limit.reason}"))]
        return [Record(**base, verdict="fail", reason=f"upstream's converter raised {type(error).__name__}: {error}, which no known limit explains")]
    if known:
        reason = f"upstream's limit {known[0].id} no longer applies: the configuration converts; remove the entry or narrow its versions"
        return [Record(**base, verdict="fail", reason=reason)]
    try:
        returned = to_e3nn(twin.model, CPU)
    except Exception as error:  # as above
        return [Record(**base, verdict="fail", reason=f"the way back to e3nn raised {type(error).__name__}: {error}")]
    return [*judged(source, twin, returned, base), _blocks(context, config, source, twin.model, base)]


def _own_model(context: Context, key: Key) -> list[Record]:
    """The user's model: its twin is the backend's, its blocks are judged by the precision session."""
    base: dict[str, Any] = {"check": CHECK, "subject": MODEL, "backend": key.backend}
    backend = context.backend(key.backend)
    if not isinstance(backend, CueqModel):
        return [refused(base, backend if isinstance(backend, Unsupported) else Unsupported("not-applicable", "it is no model of cuEquivariance"))]
    try:
        returned = to_e3nn(backend.model, context.device)
    except Exception as error:  # as above
        return [Record(**base, verdict="fail", reason=f"the way back to e3nn raised {type(error).__name__}: {error}")]
    return judged(context.reference_backend.model, Converted(backend.model), returned, base)


def run(context: Context, key: Key) -> list[Record]:
    """One configuration, or the user's model."""
    began = time.perf_counter()
    if why := unavailable(get_backend(key.backend), context.device.type if key.subject == MODEL else CPU.type):
        return [refused({"check": CHECK, "subject": key.subject, "backend": key.backend}, why)]
    if key.subject == MODEL:
        found = _own_model(context, key)
    else:
        config = next(c for c in DESIGN if (c.name, c.backend) == (key.subject, key.backend))
        found = judge_configuration(context, config, load_limits())
    seconds = round((time.perf_counter() - began) / len(found), 4)
    return [f.model_copy(update={"seconds": seconds}) for f in found]


def keys(context: Context) -> list[Key]:
    """The user's model on its cuEquivariance backends, and the covering set; none where no such backend is asked for."""
    names = [n for n in context.backend_names if n in LAYOUTS]
    return [Key(CHECK, MODEL, n) for n in names] + ([Key(CHECK, c.name, c.backend) for c in DESIGN] if names else [])


INSPECTION = Inspection(CHECK, keys, run)
