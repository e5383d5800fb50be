"""Conversion: e3nn -> backend -> e3nn of every parameter and buffer, over a covering set of small architectures.

Each configuration is judged three times: ``keys`` (the round trip: names, shapes, dtypes, values, nothing logged and skipped),
``weights`` (the twin's parameters against an explicit map) and ``blocks`` (the twin's blocks against the source's). The user's
own model makes the round trip too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends.converter import Converted, Converter, StateComparison
from mpcheck.adapters.backends.design import Configuration
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import BackendModel, get_backend, place, unavailable
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry.block_twins import distances, innermost
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused
from mpcheck.judge.upstream_limits import UpstreamLimit, load_limits
from mpcheck.records.detail import figures
from mpcheck.records.record import Record

CHECK = "conversion"
MODEL = "model"


def structure(elements: tuple[str, ...], seed: int) -> Atoms:
    """Five atoms in no symmetric place, 1 to 2 Å apart, of all the elements."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1.4, 0, 0], [0, 1.5, 0], [0, 0, 1.6], [1.2, 1.3, 1.4]])
    return Atoms([elements[i % len(elements)] for i in range(5)], corners + rng.normal(0, 0.1, corners.shape))


def _finding(base: dict[str, Any], variant: str, failures: list[str], ratio: float, limit: float, **metrics: Any) -> Record:
    reason = "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")
    shown = ratio if np.isfinite(ratio) else None
    return Record(**base, variant=variant, verdict="fail" if failures else "pass", reason=reason, ratio=shown, limit=limit, detail=figures(metrics))


def _unless_unmapped(finding: Record, comparison: StateComparison) -> Record:
    """A pass that left out parameters whose map is not known is none."""
    if finding.verdict != "pass" or not comparison.unmapped:
        return finding
    reason = f"no invertible projection of {', '.join(comparison.unmapped)} is known: not compared"
    return finding.model_copy(update={"verdict": "inconclusive", "reason": reason})


def judged(converter: Converter, source: torch.nn.Module, twin: Converted, returned: Converted, base: dict[str, Any]) -> list[Record]:
    """The round trip and the twin's parameters."""
    trip, own = converter.round_trip(source, returned.model), converter.parameters(source, twin.model)
    failures = [*(f"logged and skipped: {c}" for c in (*twin.complaints, *returned.complaints)), *trip.failures]
    return [
        _unless_unmapped(_finding(base, "keys", failures, trip.ratio, 1.0, tensors=trip.tensors), trip),
        _unless_unmapped(_finding(base, "weights", own.failures, own.ratio, 1.0, tensors=own.tensors), own),
    ]


def _blocks(context: Context, config: Configuration, source: torch.nn.Module, wrapped: BackendModel, base: dict[str, Any]) -> Record:
    graph = make_graph([structure(config.elements, context.seed)], config.architecture.elements, config.architecture.r_max)
    placed = {n: t.to(wrapped.device) for n, t in graph.items()}
    rows = distances(E3nnModel(source, wrapped.device), wrapped, placed, context.tolerances, context.seed)
    guilty = innermost(rows)
    worst = max(guilty or rows, key=lambda d: d.ratio / d.limit)
    failed = guilty + [d for d in rows if d.fails and d not in guilty]  # a composite is off where a part of it is
    failures = [f"{d.block} {d.tensor}: rms ratio {d.ratio:.3g} > {d.limit:.3g}" for d in failed]
    made = _finding(base, "blocks", failures, worst.ratio, worst.limit, blocks=len({d.block for d in rows}))
    return made.model_copy(update={"worst": f"{worst.block} {worst.tensor}", "block": guilty[0].block if guilty else ""})


def judge_configuration(context: Context, config: Configuration, limits: list[UpstreamLimit]) -> list[Record]:
    """One configuration: three findings, or one where upstream cannot convert it or an entry of the limits is stale."""
    base: dict[str, Any] = {"check": CHECK, "subject": config.name, "backend": config.backend}
    converter = get_backend(config.backend).converter
    assert converter is not None  # whose configuration it is
    where, fields = place(get_backend(config.backend), context.device), config.architecture.model_dump()
    known = [limit for limit in limits if limit.package == converter.package and limit.applies(fields, config.backend)]
    source = build_model(config.architecture).to(where)
    try:
        twin = converter.there(source, where)
    except Exception as error:  # upstream raises whatever its constructors and index errors raise
        for limit in known:
            if limit.explains(error):
                return [refused(base, Unsupported("known-limit", f"{limit.id}: {limit.reason}"))]
        return [Record(**base, verdict="fail", reason=f"upstream's converter raised {type(error).__name__}: {error}, which no known limit explains")]
    if known:
        reason = f"upstream's limit {known[0].id} no longer applies: the configuration converts; remove the entry or narrow its versions"
        return [Record(**base, verdict="fail", reason=reason)]
    try:
        returned = converter.back(twin.model, where)
    except Exception as error:  # as above
        return [Record(**base, verdict="fail", reason=f"the way back to e3nn raised {type(error).__name__}: {error}")]
    return [*judged(converter, source, twin, returned, base), _blocks(context, config, source, converter.wrapped(source, twin.model, where), base)]


def _own_model(context: Context, key: Key) -> list[Record]:
    """The user's model: its twin is the backend's, its blocks are judged by the precision session."""
    base: dict[str, Any] = {"check": CHECK, "subject": MODEL, "backend": key.backend}
    backend = context.backend(key.backend)
    if isinstance(backend, Unsupported):
        return [refused(base, backend)]
    converter, twin = get_backend(key.backend).converter, backend.module(WHOLE)
    if converter is None or twin is None:
        return [refused(base, Unsupported("not-applicable", f"{key.backend} has no whole model that could be converted back"))]
    try:
        returned = converter.back(twin, context.device)
    except Exception as error:  # as above
        return [Record(**base, verdict="fail", reason=f"the way back to e3nn raised {type(error).__name__}: {error}")]
    return judged(converter, backend.source, Converted(twin), returned, base)


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One configuration, or the user's model."""
    backend = get_backend(key.backend)
    where = context.device if key.subject == MODEL else place(backend, context.device)
    if why := unavailable(backend, where.type):
        return [refused({"check": CHECK, "subject": key.subject, "backend": key.backend}, why)]
    if key.subject == MODEL:
        return _own_model(context, key)
    config = next(c for c in _configurations([key.backend]) if (c.name, c.backend) == (key.subject, key.backend))
    return judge_configuration(context, config, load_limits())


def _configurations(names: Sequence[str]) -> list[Configuration]:
    """What the converters of some backends are tried on; those of one library have the same."""
    return list(dict.fromkeys(c for name in names if (converter := get_backend(name).converter) for c in converter.configurations))


def keys(context: Context) -> list[Key]:
    """The user's model on backends that can be converted back, and the covering set; none where no such backend is asked for."""
    names = [n for n in context.backend_names if get_backend(n).converter]
    return [Key(CHECK, MODEL, n) for n in names] + [Key(CHECK, c.name, c.backend) for c in _configurations(names)]


INSPECTION = Inspection(CHECK, keys, run)
