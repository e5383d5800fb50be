"""Blocks of a small model of odd multiplicity, in each layout of a backend, against e3nn's: in every run that asks for the backend.

Faults of layouts act where a user's own model may not be: in the layout that MACE does not ask for, and where the number of channels is
odd or no multiple of a tile. The small model takes seconds where a second twin of the user's takes a minute. One call of each block in
float64, within what Monte Carlo arithmetic allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpcheck._names import SMALL_TWIN
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import backends, get_backend, unavailable
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry.block_twins import BlockDistance, distances, innermost
from mpcheck.checks.symmetry.conversions import structure
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, timed
from mpcheck.judge.refusing import refused
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.records.detail import figures
from mpcheck.records.record import Record

MODEL = "small model"
ELEMENTS = ("H", "O")
CHANNELS = 5
"""Odd, and another number than any irrep has components up to l = 1, so that no matrix of channels and components is square."""
ARCHITECTURE = Architecture(
    schema_version=1, name="small-twin", elements=list(ELEMENTS), atomic_energies={"H": -1.5, "O": -3.0}, r_max=4.0, num_bessel=3, max_ell=1,
    hidden_irreps=f"{CHANNELS}x0e + {CHANNELS}x1o", MLP_irreps="3x0e", correlation=2, num_interactions=2, radial_MLP=[5], avg_num_neighbors=7.3,
    atomic_inter_scale=0.7, atomic_inter_shift=-0.1, weights_seed=3,
)  # fmt: skip


def backends_of(names: Sequence[str]) -> list[str]:
    """Backends with a converter among those that are asked for, each followed by its other layouts."""
    known, found = backends(), []
    for name in names:
        if name in known and known[name].converter is not None:
            found += [name, *(other for other in getattr(known[name], "layouts", ()) if other in known)]
    return list(dict.fromkeys(found))


@timed
def judge(context: Context, name: str) -> list[Record]:
    """One backend: a record that all blocks agree, or one for each innermost block that does not."""
    base: dict[str, Any] = {"check": SMALL_TWIN, "backend": name, "format": FLOAT64.name}
    backend, device = get_backend(name), context.device
    converter = backend.converter
    if why := unavailable(backend, device.type):
        return [refused({**base, "subject": MODEL}, why)]
    assert converter is not None  # see backends_of
    source = build_model(ARCHITECTURE).to(device)
    twin = attempt(lambda: converter.there(source, device))
    if isinstance(twin, Raised):
        error = twin.error
        known = [limit for limit in load_limits() if isinstance(error, Exception) and limit.explains(error)]
        if known:
            return [refused({**base, "subject": MODEL}, Unsupported("known-limit", f"{known[0].id}: {known[0].reason}"))]
        return [Record(**base, subject=MODEL, verdict="fail", reason=f"the conversion of a model of {CHANNELS} channels raised {twin.text}")]
    graph = make_graph([structure(ELEMENTS, context.seed)], list(ELEMENTS), ARCHITECTURE.r_max)
    wrapped = converter.wrapped(source, twin.model, device)
    rows = distances(E3nnModel(source, device), wrapped, {n: t.to(device) for n, t in graph.items()}, context.tolerances, context.seed)
    return _told(base, rows)


def _told(base: dict[str, Any], rows: Sequence[BlockDistance]) -> list[Record]:
    metrics = figures({"blocks": float(len({r.block for r in rows})), "channels": float(CHANNELS)})
    guilty = innermost(rows)
    if not guilty:
        worst = max(rows, key=lambda r: r.ratio / r.limit)
        place = f"{worst.block} {worst.tensor}"
        return [Record(**base, subject=MODEL, verdict="pass", ratio=worst.ratio, limit=worst.limit, worst=place, detail=metrics)]
    records = []
    for row in guilty:
        ratio = row.ratio if row.ratio < float("inf") else None
        said = f"rms ratio {row.ratio:.3g} > {row.limit:.3g}" if ratio is not None else "wrong"
        records.append(
            Record(
                **base,
                subject=f"{row.block} of the {MODEL}",
                verdict="fail",
                ratio=ratio,
                limit=row.limit,
                worst=f"{row.block} {row.tensor}",
                reason=f"{row.block}: {row.tensor}: {said} in {base['backend']} of a model of {CHANNELS} channels",
                block=row.block,
                detail=metrics,
            )
        )
    return records
