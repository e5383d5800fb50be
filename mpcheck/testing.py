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
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._names import PRECISION, REFERENCE_BACKEND
from mpcheck._text import near
from mpcheck.adapters.backends.protocol import Backend, added
from mpcheck.adapters.load import LoadedModel, load_model, load_object
from mpcheck.formats import BFLOAT16, FLOAT32, FLOAT64
from mpcheck.records.attribution import innermost_first, names_of
from mpcheck.records.record import Record
from mpcheck.records.tensors import decisive
from mpcheck.report.figure import figure
from mpcheck.sessions.options import Options, resolve
from mpcheck.sessions.pieces import Work
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.registry import sessions
from mpcheck.sessions.run import Session
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
) -> list[Record]:
    """A backend computes a model's blocks as well as each format allows, by its own implementation and in the layout that it claims.

    Args:
        backend: a registered name, or an object, which then needs no entry point; in a variant (``ours+compile``) by the
            check ``precision`` alone.
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
        options = (PrecisionOptions if tuple(checks) == (PRECISION,) else Options)(
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
) -> list[Record]:
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


def _asserted(what: str, session: Session, checks: Sequence[str], baselines: Path | None, backend: str = "") -> list[Record]:
    """Judge, and raise an assertion that tells the failures, innermost blocks first."""
    __tracebackhide__ = True
    records = list(_judged(session, checks, baselines, backend))
    failed = innermost_first([r for r in records if r.red], names_of(records))
    if failed:
        more = [f"… and {len(failed) - SHOWN} more"] if len(failed) > SHOWN else []
        told = "\n  ".join([*map(_line, failed[:SHOWN]), *more])
        raise AssertionError(f"{what}: {len(failed)} of {len(records)} failed\n  {told}")
    if not any(r.verdict == "pass" for r in records):
        reasons = "; ".join(dict.fromkeys(r.reason for r in records if r.reason)) or "no work"
        raise AssertionError(f"{what}: nothing could be judged: {reasons}")
    return records


def _judged(session: Session, checks: Sequence[str], baselines: Path | None, backend: str) -> Iterator[Record]:
    """Every record of the checks; of one backend, where it is named.

    Raises:
        InputError: an unknown check.
    """
    suites = [spec for spec in sessions().values() if spec.judges and spec.parallel and not spec.processes]  # what is timed or long has its own
    known = [name for spec in suites for name in spec.checks]
    if unknown := [name for name in checks if name not in known]:
        raise InputError(f"unknown check {unknown[0]!r}{near(unknown[0], known)}; choose from {', '.join(known)}")
    for spec in suites:
        own = tuple(name for name in spec.checks if name in checks)
        if not own:
            continue
        more = {name: value for name, value in (("baselines", baselines), ("checks", own)) if spec.takes(name)}
        work: Work = resolve(spec.work)(spec.options(**_common(session), **more), session)
        for piece in work.pieces():
            about = piece.planned
            if about.check in checks and (backend in ("", about.backend, about.variant) or about.key in session.broken):
                yield from work.records(piece)


def _common(session: Session) -> dict[str, Any]:
    return {one.name: getattr(session.options, one.name) for one in fields(Options)}


def _line(item: Record) -> str:
    """``BLOCK (BACKEND, FORMAT, …): TENSOR, S times what is allowed (ratio R ÷ limit L): REASON``."""
    where = ", ".join(filter(None, (item.check, item.backend, item.format, item.variant, item.system)))
    figures = ""
    if item.ratio is not None and item.limit:
        figures = f"{figure(item.share)} times what is allowed (ratio {item.ratio:.3g} ÷ limit {item.limit:.3g})"
    told = decisive(item.quantities)
    said = ", ".join(filter(None, (told.name if told is not None else item.worst, figures)))
    return f"{item.subject} ({where}): " + ": ".join(filter(None, (said, item.reason)))
