"""Pictures of the ranges session: of each system its results, weights and gradients, a bar a tensor, beside the formats' ranges."""

from __future__ import annotations

from collections.abc import Iterator

from mpcheck.records.document import Records
from mpcheck.records.range_figures import Ranges, TensorRange
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.exponents import Bar, Limits, exponents_picture
from mpcheck.report.pictures.words import slug
from mpcheck.sessions.ranges.tables import MODEL, Told, told

KINDS = (("output", "results"), ("weight", "weights"), ("gradient", "gradients of the energy"))


def pictures(document: Records) -> list[Picture]:
    """All that there are."""
    every, limits = told(document), _limits(document)
    found: list[Picture | None] = []
    for system in dict.fromkeys(one.system for one in every):
        for kind, title in KINDS:
            bars = [bar for one in every if one.system == system for bar in _bars(one, kind)]
            found.append(exponents_picture(bars, limits, slug("ranges", system, kind), f"{system}: {title}"))
    return [picture for picture in found if picture is not None]


def _limits(document: Records) -> list[Limits]:
    """Of each format, those of one range together."""
    names: dict[tuple[float, float, float], list[str]] = {}
    for record in document.records:
        if isinstance(record.detail, Ranges) and record.detail.normal and record.detail.end:
            own = names.setdefault((record.detail.smallest or 0.0, record.detail.normal, record.detail.end), [])
            own += [record.format] if record.format not in own else []
    return [Limits(", ".join(own), *ends) for ends, own in names.items()]


def _bars(one: Told, kind: str) -> Iterator[Bar]:
    if one.detail is None or (one.detail.block == "composite" and one.subject != MODEL):
        return
    for tensor in one.detail.ranges:
        if tensor.kind == kind and not tensor.name.startswith("grad.in."):
            yield from _bar(one.subject, tensor)


def _bar(subject: str, tensor: TensorRange) -> Iterator[Bar]:
    if tensor.smallest and tensor.largest and tensor.low is not None and tensor.middle is not None and tensor.high is not None:
        name = tensor.name.removeprefix("grad.").removeprefix("weight.")
        yield Bar(f"{subject}: {name}", tensor.smallest, tensor.largest, tensor.low, tensor.middle, tensor.high)
