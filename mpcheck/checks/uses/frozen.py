"""Frozen parameters: what a model computes does not depend on which of its parameters want a gradient."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Sequence

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.uses.asking import GRADIENT, Difference, differences, generic, judged, learned, learning_scales, trainable
from mpcheck.records.record import Record

ALL, ONE, REST, ALTERNATE = "all", "one block", "all but one block", "every second"


@contextlib.contextmanager
def frozen(model: torch.nn.Module, names: Collection[str]) -> Iterator[None]:
    """Parameters by these names want no gradient."""
    chosen = [p for n, p in model.named_parameters() if n in names and p.requires_grad]
    try:
        for parameter in chosen:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in chosen:
            parameter.requires_grad_(True)


def block_of(parameter: str) -> str:
    """``interactions.0`` of ``interactions.0.linear.weight``: the part of a model that fine-tuning freezes or leaves free."""
    first, _, rest = parameter.partition(".")
    second = rest.partition(".")[0]
    return f"{first}.{second}" if second.isdigit() else first


def selections(names: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, what is frozen in words, and the parameters."""
    yield ALL, "all parameters", list(names)
    blocks = dict.fromkeys(map(block_of, names))
    for block in blocks:
        yield ONE, f"those of {block}", [n for n in names if block_of(n) == block]
    for block in (next(iter(blocks)), list(blocks)[-1]):
        yield REST, f"all but those of {block}", [n for n in names if block_of(n) != block]
    yield ALTERNATE, "every second parameter", list(names)[::2]
    yield ALTERNATE, "every second parameter from the second on", list(names)[1::2]


def freezing(case: Case) -> list[Record]:
    """Energies, forces, virials, stress, and gradients by the parameters that are left, against those with all parameters free."""
    names = list(trainable(case.model))
    if not names:
        return [case.finding(None, verdict="unsupported", reason="no parameter of the model wants a gradient")]
    graph = generic(case)
    learned(case.model, graph)  # TorchScript's first calls, which may round otherwise
    base = learned(case.model, graph)
    scale = learning_scales(case, base)
    rows: dict[str, list[Difference]] = {kind: [] for kind in (ALL, ONE, REST, ALTERNATE)}
    for kind, what, chosen in selections(names):
        with frozen(case.model, chosen):
            found = attempt(lambda: learned(case.model, graph))
        if isinstance(found, Raised):
            rows[kind].append(Difference(f"every output, which with {what} frozen raised {found.text},", math.inf, 1.0))
            continue
        lost = {GRADIENT + n for n in chosen}
        expected = {n: v for n, v in base.items() if n not in lost}
        rows[kind] += [Difference(f"{r.what}, with {what} frozen,", r.ratio, r.limit, r.size) for r in differences(case, found, expected, scale)]
    told = "{0.what} is not what it is with every parameter free, by {0.size:.3g}"
    return [judged(case, found, kind, told.format) for kind, found in rows.items()]
