"""Assertions for other projects' tests: a backend, or a model, judged as the sessions judge it.

    from mpcheck.testing import assert_backend, assert_model

    def test_our_backend():
        assert_backend("ours")

They need no options and no plugin, change nothing global, and raise an ``AssertionError`` that names the block, the tensor and its ratio by
the limit. By default they are cheap: the smallest built-in system, three formats, and the checks that look at single blocks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.backends.protocol import Backend, added
from mpcheck.adapters.load import LoadedModel, load_model, load_object
from mpcheck.formats import BFLOAT16, FLOAT32, FLOAT64
from mpcheck.records.finding import Finding
from mpcheck.records.items import Item, decisive, item_of_cell, item_of_finding
from mpcheck.records.names import PRECISION, REFERENCE_BACKEND
from mpcheck.records.record import Cell
from mpcheck.sessions import inspections
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Options, Session
from mpcheck.sessions.work import judge_cell, judge_inspection
from mpcheck.systems import available_systems

__all__ = ["FORMATS", "assert_backend", "assert_model"]

Model = str | Path | torch.nn.Module
FORMATS = (FLOAT64.name, FLOAT32.name, BFLOAT16.name)
"""What is judged where the caller names no formats: the reference's, the usual one and the coarsest."""
SHOWN = 10  # failures that a message tells


def assert_backend(
    backend: str | Backend,
    model: Model = "builtin:hco",
    *,
    checks: Sequence[str] = (PRECISION, "engagement", "layout"),
    systems: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    blocks: Sequence[str] = (),
    device: str = "cpu",
    require: Sequence[str] | None = None,
    allow_degraded: Sequence[str] = (),
    tolerances: Path | None = None,
    baselines: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> list[Item]:
    """A backend computes a model's blocks as well as each format allows, by its own implementation and in the layout that it claims.

    Args:
        backend: a registered name, or an object, which then needs no entry point.
        model: what ``mpcheck run`` takes, a path, or a MACE model, of which a copy is judged.
        checks: ``precision`` and any of the symmetry and audit sessions': ``mix`` (with the reference), ``conversion``, ``equivariance``, …
        systems: ``builtin:NAME`` or files; empty for the smallest built-in one.
        formats: names. blocks: glob patterns; empty for all.
        device: cpu, cuda or cuda:N.
        require: capabilities whose absence is a failure; None for the backend itself.
        allow_degraded: backends, or ``backend:block``, that something else may compute.
        tolerances: a tolerance file; None for the packaged one. baselines: a directory of stored ratios; None to judge by limits alone.
        cache: directory of references; None for the default. seed: of systems, cotangents and draws.

    Returns:
        Everything that was concluded of the backend, in the order of the work.

    Raises:
        AssertionError: something failed, or nothing could be judged.
        InputError: bad input: an unknown name, a file that cannot be read, a model that is none.
    """
    __tracebackhide__ = True
    with contextlib.nullcontext() if isinstance(backend, str) else added(backend):
        name = backend if isinstance(backend, str) else backend.name
        options = Options(
            device=device, backends=tuple(dict.fromkeys((REFERENCE_BACKEND, name))), formats=tuple(formats), blocks=tuple(blocks),
            require=(name,) if require is None else tuple(require), allow_degraded=tuple(allow_degraded), tolerances=tolerances, cache=cache,
            seed=seed,
        )  # fmt: skip
        return _asserted(f"backend {name}", _session(model, systems, options), checks, baselines, name)


def assert_model(
    model: Model,
    *,
    backends: Sequence[str] = (REFERENCE_BACKEND,),
    checks: Sequence[str] = (PRECISION,),
    systems: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
    blocks: Sequence[str] = (),
    device: str = "cpu",
    require: Sequence[str] = (),
    allow_degraded: Sequence[str] = (),
    tolerances: Path | None = None,
    baselines: Path | None = None,
    cache: Path | None = None,
    seed: int = 0,
) -> list[Item]:
    """Every block of a model computes as well as each format allows.

    Args and errors as of :func:`assert_backend`; ``backends`` are registered names.

    Returns:
        Everything that was concluded, in the order of the work.

    Raises:
        AssertionError: something failed, or nothing could be judged.
        InputError: bad input.
    """
    __tracebackhide__ = True
    options = Options(
        device=device, backends=tuple(backends), formats=tuple(formats), blocks=tuple(blocks), require=tuple(require),
        allow_degraded=tuple(allow_degraded), tolerances=tolerances, cache=cache, seed=seed,
    )  # fmt: skip
    session = _session(model, systems, options)
    return _asserted(f"model {session.model.name}", session, checks, baselines)


def _session(model: Model, systems: Sequence[str], options: Options) -> Session:
    """What ``mpcheck run`` builds, around a model that may be an object."""
    loaded: LoadedModel = load_model(str(model)) if isinstance(model, str | Path) else load_object(model)
    chosen = tuple(systems) or tuple(available_systems(loaded.elements))[:1]
    if not chosen:
        raise InputError(f"no built-in system for a model of {', '.join(loaded.elements)}; give systems=[FILE]")
    return Session(replace(options, model=loaded.name, systems=chosen), loaded)


def _asserted(what: str, session: Session, checks: Sequence[str], baselines: Path | None, backend: str = "") -> list[Item]:
    """Judge, and raise an assertion that tells the failures, innermost blocks first."""
    __tracebackhide__ = True
    rows = list(_judged(session, _known(checks), baselines, backend))
    items = [item for item, _ in rows]
    failed = sorted((row for row in rows if row[0].failed), key=lambda row: row[0].depth)
    if failed:
        more = [f"… and {len(failed) - SHOWN} more"] if len(failed) > SHOWN else []
        told = "\n  ".join([*(_line(item, tensor) for item, tensor in failed[:SHOWN]), *more])
        raise AssertionError(f"{what}: {len(failed)} of {len(items)} failed\n  {told}")
    if not any(item.verdict == "pass" for item in items):
        reasons = "; ".join(dict.fromkeys(item.reason for item in items if item.reason)) or "no work"
        raise AssertionError(f"{what}: nothing could be judged: {reasons}")
    return items


def _known(checks: Sequence[str]) -> list[str]:
    known = [PRECISION, *(i.name for suite in inspections.SUITES.values() for i in suite)]
    for name in checks:
        if name not in known:
            raise InputError(f"unknown check {name!r}; choose from {', '.join(known)}")
    return [name for name in known if name in checks]


def _judged(session: Session, checks: Sequence[str], baselines: Path | None, backend: str) -> Iterator[tuple[Item, str]]:
    """Every record of the checks, and the tensor that decides it; of one backend, where it is named."""
    if PRECISION in checks:
        suite = Suite(session, baselines)
        for key in session.cells():
            if backend in ("", key.backend) or key.id in session.broken:
                yield from map(_item_of, judge_cell(suite, key))
    for name, suite_checks in inspections.SUITES.items():
        own = [i.name for i in suite_checks if i.name in checks]
        for work in inspections.keys(name, session, own) if own else ():
            if backend in ("", work.backend, work.variant) or work.id in session.broken:
                for row in judge_inspection(name, session, work):
                    yield _item_of(row, name)


def _item_of(row: tuple[str, dict[str, Any]], session: str = PRECISION) -> tuple[Item, str]:
    kind, data = row
    if kind == "finding":
        finding = Finding.model_validate(data)
        return item_of_finding(session, finding), finding.worst
    cell = Cell.model_validate(data)
    told = decisive(cell.quantities)
    return item_of_cell(cell), told.name if told is not None else ""


def _line(item: Item, tensor: str) -> str:
    """``BLOCK (BACKEND, FORMAT, …): TENSOR, ratio R ÷ limit L: REASON``."""
    where = ", ".join(filter(None, (item.check, item.backend, item.format, item.variant, item.system)))
    figures = f"ratio {item.ratio:.3g} ÷ limit {item.limit:.3g}" if item.ratio is not None and item.limit else ""
    said = ", ".join(filter(None, (tensor, figures)))
    return f"{item.subject} ({where}): " + ": ".join(filter(None, (said, item.reason)))
