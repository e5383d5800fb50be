"""Whatever the judged code raises, wherever it raises it: one red record of the planned work, which names the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt, attempt_unless_refused, raised
from mpcheck.reference.noise import NoiseMode
from mpcheck.sessions import inspections, work
from mpcheck.sessions.precision.suite import Suite
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


def records(session: Session, directory: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    suite = Suite(session, directory)
    for key in session.cells():
        rows = work.numbered(work.planned_cell(key), work.cell_rows(suite, key))
        assert len(rows) == 1
        yield rows[0]


@pytest.mark.slow
@pytest.mark.parametrize("stage", [*STAGES, "compare", "build"])
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(error=st.sampled_from(ERRORS))
def test_a_cell_that_raises_is_one_red_record(stage: str, error: Callable[[], BaseException], tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        session = made(patch, stage, error, tmp_path_factory.mktemp("cache"))
        found = dict(enumerate(records(session, tmp_path_factory.getbasetemp())))
    red = [data for _, data in found.values() if data["verdict"] == "fail"]
    kind = type(error()).__name__
    assert red and {data["block"] for data in red} == {BLOCK}
    expected = {"capture": 1, "replay": 2}.get(stage, 4)
    assert len(red) == expected, [(d["backend"], d["format"], d["direction"], d["reason"]) for _, d in found.values()]
    assert all(kind in data["reason"] or "StopIteration" in data["reason"] for data in red)
    assert all("\n" not in data["reason"] for data in red)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["symmetry", "audit"])
@pytest.mark.parametrize("stage", ["capture", "noise", "replay", "build"])
def test_a_check_that_raises_ends_in_records(name: inspections.SuiteName, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = made(monkeypatch, stage, lambda: KeyError("bfloat16"), tmp_path)
    only = {"symmetry": ("layout",), "audit": ("dtypes", "engagement")}[name]
    keys = inspections.keys(name, session, only)
    found = [(key, data) for key in keys for _, data in work.inspection_rows(name, session, key)]
    assert {key.id for key, _ in found} == {key.id for key in keys}
    red = [data for _, data in found if data["verdict"] == "fail"]
    assert red and all("KeyError" in data["reason"] for data in red)
    assert {data["subject"] for data in red} <= {BLOCK, "construction"}


def test_ctrl_c_is_no_record() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


def test_the_innermost_frame_of_the_judged_code_is_named() -> None:
    class BesselBasis(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            table = {torch.float64: 1.0, torch.bfloat16: 1.0}
            return x * table[x.dtype]

    found = attempt(lambda: torch.nn.Sequential(BesselBasis())(torch.ones(1, dtype=torch.float32)))
    assert isinstance(found, Raised)
    assert found.text == "KeyError: torch.float32 in BesselBasis.forward" and not found.missing


def test_a_scripted_module_is_named_by_its_class() -> None:
    class Doubling(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(7)

    found = attempt(lambda: torch.jit.script(Doubling())(torch.ones(2)))
    assert isinstance(found, Raised) and found.place == "Doubling.forward" and found.line.startswith("RuntimeError: shape")


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"), True),
        (NotImplementedError("Could not run 'aten::mm' with arguments from the 'Meta' backend"), True),
        (NotImplementedError("this fork does not do float32"), False), (KeyError("not implemented for 'Half'"), False),
        (RuntimeError("expected scalar type Float but found Half"), False),
    ],
)  # fmt: skip
def test_only_torch_and_kernel_libraries_lack_operations(error: BaseException, missing: bool) -> None:
    assert raised(error).missing is missing


def test_a_bench_session_whose_model_raises_has_one_red_benchmark(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mace.modules.radial import BesselBasis

    from mpcheck.sessions.bench import BenchOptions
    from mpcheck.sessions.bench.run import BenchRun
    from mpcheck.sessions.bench.unplanned import UnplannedRun

    def broken(self: Any, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("bfloat16")

    monkeypatch.setattr(BesselBasis, "forward", broken)
    options = BenchOptions(systems=(SYSTEM,), backends=("e3nn",), formats=("float32",), cache=cache)
    found = attempt_unless_refused(lambda: BenchRun(options))
    assert isinstance(found, Raised)
    run = UnplannedRun(options, found)
    (key,) = run.every
    assert key.subject == "radial_embedding.bessel_fn"
    (finding,) = run.findings[key.id]
    assert finding.verdict == "fail" and finding.reason == "raised KeyError: 'bfloat16' in BesselBasis.broken"
