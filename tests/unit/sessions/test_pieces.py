"""Whatever the judged code raises, wherever it raises it: one red record of the planned work, which names the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from mpcheck._errors import InputError
from mpcheck._raised import raised
from mpcheck.records.record import Planned, Record
from mpcheck.reference.noise import NoiseMode
from mpcheck.sessions.options import InspectedOptions, resolve
from mpcheck.sessions.pieces import PlainWork, numbered
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.work import PrecisionWork
from mpcheck.sessions.registry import get
from mpcheck.sessions.run import Options, Session

SYSTEM, BLOCK = "builtin:water", "readouts.1.linear_1"
OPTIONS = Options(systems=(SYSTEM,), blocks=(BLOCK,), formats=("float64", "float32"), backends=("e3nn",))


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no message")


ERRORS: list[Callable[[], BaseException]] = [
    lambda: KeyError("bfloat16"), lambda: AttributeError("no attribute"), lambda: NameError("name"), ZeroDivisionError, MemoryError, OverflowError,
    lambda: RuntimeError("both\ntorch's"), lambda: NotImplementedError("float32"), StopIteration, SystemExit, lambda: SystemExit(0), RecursionError,
    lambda: pytest.skip.Exception("skipped"), lambda: pytest.fail.Exception("failed"), lambda: pytest.exit.Exception("exit"), UnreadableError,
    lambda: BaseException("bare"), lambda: InputError("not the user's"), lambda: ImportError("late"), AssertionError, lambda: TypeError("x"),
]  # fmt: skip


def noise() -> bool:
    return any(isinstance(mode, NoiseMode) for mode in _get_current_dispatch_mode_stack())


STAGES: dict[str, Callable[[torch.Tensor], bool]] = {
    "capture": lambda x: True,
    "noise": lambda x: noise(),
    "replay": lambda x: x.dtype == torch.float32,
}


class Planting:
    """Makes a block of every model that is built from now on raise at a stage."""

    def __init__(self, patch: pytest.MonkeyPatch, stage: str, error: Callable[[], BaseException]) -> None:
        from mpcheck.adapters.backends import e3nn as e3nn_backend

        build = e3nn_backend.BACKEND.build

        def planted(*arguments: Any) -> Any:
            made = build(*arguments)
            module = made.model.get_submodule(BLOCK)

            def check(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
                if STAGES[stage](next(iter((*inputs, *named.values())))):
                    raise error()

            module.register_forward_pre_hook(check, with_kwargs=True)
            return made

        patch.setattr(type(e3nn_backend.BACKEND), "build", lambda self, *arguments: planted(*arguments))


def made(patch: pytest.MonkeyPatch, stage: str, error: Callable[[], BaseException], cache: Path) -> Session:
    if stage in STAGES:
        Planting(patch, stage, error)
    elif stage == "compare":
        patch.setattr("mpcheck.checks.precision.compare", lambda *a, **k: (_ for _ in ()).throw(_plain(error)))
    else:
        patch.setattr("mpcheck.adapters.backends.cueq.CueqBackend.build", lambda *a, **k: (_ for _ in ()).throw(_plain(error)))
    return Session(replace(OPTIONS, cache=cache, backends=("cueq",) if stage == "build" else ("e3nn",)))


def _plain(error: Callable[[], BaseException]) -> BaseException:
    made = error()
    return RuntimeError("StopIteration") if isinstance(made, StopIteration) else made  # a generator cannot throw it


def records(session: Session, directory: Path) -> Iterator[Record]:
    work = PrecisionWork(PrecisionOptions(baselines=directory), session)
    for piece in work.pieces():
        (record,) = numbered(piece.planned, work.records(piece))
        yield record


@pytest.mark.slow
@pytest.mark.parametrize("stage", [*STAGES, "compare", "build"])
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(error=st.sampled_from(ERRORS))
def test_a_cell_that_raises_is_one_red_record(stage: str, error: Callable[[], BaseException], tmp_path_factory: pytest.TempPathFactory) -> None:
    # a cache that cannot be written is the user's, and is written while the model is called
    assume(stage != "capture" or not isinstance(error(), InputError))
    with pytest.MonkeyPatch.context() as patch:
        session = made(patch, stage, error, tmp_path_factory.mktemp("cache"))
        rows = list(records(session, tmp_path_factory.getbasetemp()))
    red = [record for record in rows if record.verdict == "fail"]
    kind = type(error()).__name__
    if stage == "build" and kind == "NotImplementedError":  # how a backend says that it cannot convert an architecture
        assert {record.verdict for record in rows} == {"unsupported"} and all(str(error()) in record.reason for record in rows)
        return
    assert red and {record.subject for record in red} == {BLOCK}
    expected = {"capture": 1, "replay": 2}.get(stage, 4)
    assert len(red) == expected, [(r.backend, r.format, r.variant, r.reason) for r in rows]
    assert all(kind in record.reason or "StopIteration" in record.reason for record in red)
    assert all("\n" not in record.reason for record in red)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["symmetry", "audit"])
@pytest.mark.parametrize("stage", ["capture", "noise", "replay", "build"])
def test_a_check_that_raises_ends_in_records(name: str, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = made(monkeypatch, stage, lambda: KeyError("bfloat16"), tmp_path)
    only = {"symmetry": ("layout",), "audit": ("dtypes", "engagement")}[name]
    work = resolve(get(name).work)(InspectedOptions(checks=only), session)
    pieces = work.pieces()
    rows = [record for piece in pieces for record in numbered(piece.planned, work.records(piece))]
    assert pieces and {record.key for record in rows} == {piece.planned.key for piece in pieces}
    red = [record for record in rows if record.verdict == "fail"]
    assert red and all("KeyError" in record.reason for record in red)
    assert {record.subject for record in red} <= {BLOCK, "construction", "model"}


PLANNED = Planned(key="the key", check="layout", subject="products.0", backend="e3nn", variant="swapped")


def test_records_of_a_piece_have_its_key_and_their_number() -> None:
    records = [Record(check="layout", verdict=verdict) for verdict in ("pass", "fail")]
    assert [(r.key, r.part.number, r.part.of, r.verdict) for r in numbered(PLANNED, records)] == [
        ("the key", 1, 2, "pass"),
        ("the key", 2, 2, "fail"),
    ]
    assert numbered(PLANNED, []) == []


def test_what_raised_before_it_could_begin_is_told_and_the_work_not_tried() -> None:
    work = PlainWork()
    work.session = object.__new__(Session)
    work.session.broken = {PLANNED.key: raised(KeyError("earlier"))}
    (record,) = work.attempted(PLANNED, lambda: pytest.fail("was tried"))
    assert (record.verdict, record.reason, record.key) == ("fail", "raised KeyError: 'earlier'", "the key")
    assert record.about == PLANNED.about
    work.session.broken = {}
    assert work.attempted(PLANNED, lambda: [record, record]) == [record, record]
    assert list(work.notes()) == []
