"""Requirements and degraded backends are decided by fields: whatever a reason says, and in every session."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpcheck import _unsupported as unsupported
from mpcheck._errors import InputError
from mpcheck._unsupported import BACKENDS_OWN, Code, Unsupported, tolerated
from mpcheck.adapters.backends import protocol as registry
from mpcheck.adapters.backends.base import BackendBase
from mpcheck.adapters.backends.capabilities import covers, lacks, requirable
from mpcheck.adapters.backends.cueq import BACKEND
from mpcheck.adapters.backends.protocol import backends
from mpcheck.checks.precision import CellKey
from mpcheck.judge.capabilities import asked
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.records.verdicts import red
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.conftest import SYSTEM

CAPABILITIES = ("cuda", "cueq", "cueq-kernels", "baseline")
TEXTS = st.sampled_from(["", "no CUDA device", "range: values reach 1e6", "naive", "cueq is not installed", "raised X", "cuda"])
BLOCK = "products.0.linear"


def fails(row: Any) -> bool:
    return red(row.verdict, row.tolerated)


def cell(verdict: str, backend: str, reason: str, lacking: str, block: str = BLOCK) -> Record:
    about = {"check": "precision", "subject": block, "backend": backend, "format": "float16", "variant": "forward", "system": SYSTEM}
    return Record(**about, verdict=verdict, reason=reason, lacking=lacking, note=reason)


def requiring(session: Session, *names: str) -> Session:
    """A session like another, with all that is built, that requires capabilities."""
    made = copy.copy(session)
    made.options = replace(session.options, require=names)
    return made


class Asking:
    def __init__(self, required: tuple[str, ...] = (), allow_degraded: tuple[str, ...] = ()) -> None:
        self.required, self.allow_degraded = required, allow_degraded


@given(
    reason=TEXTS,
    lacking=st.sampled_from(["", *CAPABILITIES, "mine"]),
    required=st.lists(st.sampled_from([*CAPABILITIES, "mine", "e3nn"]), unique=True),
)
def test_no_text_decides(reason: str, lacking: str, required: list[str]) -> None:
    """The same fields give the same verdict whatever stands in the reason."""
    run = Asking(tuple(required))
    for backend in ("e3nn", "cueq", "mine"):
        for verdict in ("unsupported", "pass", "degraded"):
            told = {asked(run, cell(verdict, backend, text, lacking), BLOCK).verdict for text in (reason, "", "no CUDA device", "naive")}
            assert len(told) == 1
        assert asked(run, cell("unsupported", backend, reason, ""), BLOCK).verdict == "unsupported"


@pytest.mark.parametrize(
    ("required", "backend", "lacking", "red"),
    [
        ("cuda", "e3nn", "cuda", True), ("cuda", "cueq", "cueq", False), ("cueq", "cueq", "cueq", True), ("cueq", "cueq", "cuda", True),
        ("cueq", "e3nn", "cuda", False), ("cueq", "cueq-mul_ir", "cueq-mul_ir", True), ("cueq-mul_ir", "cueq", "cueq", False),
        ("cueq-kernels", "cueq", "cueq", True), ("cueq-kernels", "cueq", "cueq-kernels", True), ("cueq-kernels", "cueq", "cuda", True),
        ("cueq", "cueq", "cueq-kernels", False), ("cuda", "cueq", "cueq-kernels", False), ("mine", "mine", "mine", True),
        ("mine", "cueq", "cueq", False), ("e3nn", "e3nn", "cuda", True), ("baseline", "cueq", "cueq", False), ("mine", "mine", "", False),
    ],
)  # fmt: skip
def test_what_a_requirement_covers(required: str, backend: str, lacking: str, red: bool) -> None:
    assert lacks((required,), backend, lacking) is red
    assert fails(asked(Asking((required,)), cell("unsupported", backend, "", lacking), BLOCK)) is red
    assert covers(required, required)


def test_every_code_is_one_of_the_set() -> None:
    """A code that nobody knows is refused where it comes from another process."""
    assert set(get_args(Code)) >= BACKENDS_OWN
    why = Unsupported("not-installed", "x is not installed", "x")
    assert Unsupported.of(why.fields()) == why
    for bad in ({}, {"code": "whatever", "text": "", "lacking": ""}, "no CUDA device", None, {**why.fields(), "more": ""}):
        with pytest.raises(ValueError, match="no reason"):
            Unsupported.of(bad)


@pytest.mark.parametrize(
    ("allowed", "backend", "block", "ok"),
    [
        (("cueq",), "cueq", BLOCK, True), (("cueq:products.*",), "cueq", BLOCK, True), (("cueq:readouts.*",), "cueq", BLOCK, False),
        ((), "cueq", BLOCK, False), (("e3nn",), "cueq", BLOCK, False), (("*",), "mine", "model", True),
    ],
)  # fmt: skip
def test_degraded_is_red_unless_it_is_named(allowed: tuple[str, ...], backend: str, block: str, ok: bool) -> None:
    found = asked(Asking((), allowed), cell("degraded", backend, "x", backend, block), block)
    assert fails(found) is not ok and bool(found.tolerated) is ok and found.verdict == "degraded"
    assert fails(asked(Asking((backend,), allowed), cell("degraded", backend, "x", backend, block), block))  # what is required is not tolerated
    assert bool(tolerated(allowed, backend, block)) is ok


class Third(BackendBase):
    """A third party's backend that is not to be had, in one of several ways."""

    name = "mine"

    def __init__(self, how: str) -> None:
        self.how = how

    def unavailable(self, device: str) -> Any:
        return {"text": "the licence server is down", "fields": Unsupported("not-installed", "no wheel")}.get(self.how)

    def build(self, model: torch.nn.Module, device: torch.device) -> Any:
        if self.how == "conversion":
            raise NotImplementedError("cannot do this")
        return backends()["e3nn"].build(model, device) if self.how == "block" else None


@pytest.fixture
def third(monkeypatch: pytest.MonkeyPatch) -> Any:
    def register(how: str) -> None:
        known = {**backends(), "mine": Third(how)}
        monkeypatch.setattr(registry, "backends", lambda: known)

    return register


@pytest.mark.parametrize("how", ["text", "fields", "conversion"])
def test_any_registered_backend_can_be_required(how: str, third: Any, cache: Path, session: Session) -> None:
    third(how)
    options = Options(systems=(SYSTEM,), backends=("mine",), formats=("float32",), blocks=(BLOCK,), cache=cache)
    for required, verdict in (((), "unsupported"), (("mine",), "fail"), (("cuda", "cueq", "cueq-kernels"), "unsupported")):
        own = Session(replace(options, require=required), session.model)
        found = judge_by_limits(own, own.cells()[0])
        assert (found.verdict, found.lacking) == (verdict, "mine")
        for suite, check in (
            ("symmetry", "equivariance"),
            ("symmetry", "layout"),
            ("audit", "engagement"),
            ("audit", "dtypes"),
            ("audit", "accumulation"),
        ):
            key = Key(check, BLOCK, "mine", "float32", SYSTEM)
            told = inspections.run(suite, own, key)
            assert {(f.verdict, f.lacking) for f in told} == {(verdict, "mine")}, check


def test_an_unknown_capability_is_told() -> None:
    known = requirable()
    assert {"cuda", "cueq", "cueq-mul_ir", "cueq-unfused", "e3nn", "cueq-kernels", "baseline"} <= set(known)
    with pytest.raises(InputError, match=f"nothing in --require; choose from {', '.join(known)}"):
        Session(Options(require=("nothing",)))


@pytest.mark.parametrize("why", ["conversion", "installation"])
def test_a_backend_that_is_not_to_be_had_fails_where_it_is_required(why: str, cache: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stayed unsupported, and green, under --require cueq-kernels,cuda."""

    def build(*_: Any) -> Any:
        raise NotImplementedError("upstream's converter cannot do this model: IndexError: list index out of range")

    if why == "conversion":
        monkeypatch.setattr(type(BACKEND), "build", build)
    else:
        monkeypatch.setattr(type(BACKEND), "unavailable", lambda *_: Unsupported("not-installed", "cuequivariance_torch is not installed", "cueq"))
    options = Options(systems=(SYSTEM,), backends=("cueq",), formats=("float32",), blocks=(BLOCK,), cache=cache)
    for required in (("cueq-kernels", "cuda"), ("cueq",)):
        own = Session(replace(options, require=required), session.model)
        assert judge_by_limits(own, own.cells()[0]).verdict == "fail"
    own = Session(options, session.model)
    assert judge_by_limits(own, own.cells()[0]).verdict == "unsupported"


def test_out_of_range_fails_no_requirement(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for = requiring(session, "cueq", "e3nn")
    library = asked_for.library(SYSTEM)
    reference = library.get(BLOCK)
    monkeypatch.setattr(type(library), "get", lambda *_: replace(reference, peaks=dict.fromkeys(reference.peaks, 1e9)))
    for backend in ("cueq", "e3nn"):
        found = judge_by_limits(asked_for, CellKey(SYSTEM, BLOCK, backend, "float16", "forward"))
        assert (found.verdict, found.lacking) == ("unsupported", "") and "range" in found.reason


def test_naive_on_a_cpu_is_no_fault_unless_kernels_are_required(session: Session) -> None:
    key = CellKey(SYSTEM, BLOCK, "cueq", "float32", "forward")
    found = judge_by_limits(session, key)
    assert (found.verdict, found.lacking) == ("pass", "cueq-kernels")
    required = requiring(session, "cueq-kernels")
    assert judge_by_limits(required, key).reason == "required: cuEquivariance's kernels did not run: naive method"
    assert judge_by_limits(session, replace(key, backend="e3nn")).lacking == ""


def test_findings_keep_the_fields() -> None:
    found = Record(check="layout", subject=BLOCK, backend="cueq", verdict="degraded", reason="x", lacking="cueq")
    assert asked(Asking((), ("cueq",)), found, found.subject).tolerated == "--allow-degraded cueq"
    assert unsupported.no_device().lacking == "cuda"


def test_required_kernels_and_devices_fail(session: Session) -> None:
    strict = requiring(session, "cueq-kernels", "cuda")
    cell = judge_by_limits(session, CellKey(SYSTEM, "products.0.linear", "cueq", "float32", "forward"))
    assert cell.verdict == "pass" and cell.lacking == "cueq-kernels"
    assert asked(strict, cell, cell.subject).verdict == "fail"
    missing = cell.model_copy(update={"verdict": "unsupported", "reason": "gone", "lacking": "cuda"})
    assert asked(strict, missing, cell.subject).verdict == "fail"
    assert asked(session, missing, cell.subject).verdict == "unsupported"
