"""Torch's process-wide state: read whatever it is, put back exactly, and without influence on verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpcheck import _torch_precision as precision
from mpcheck import _torch_state as state
from mpcheck._errors import InputError
from mpcheck._names import REDUCED_VARIABLE
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.judge.replay import arithmetic
from mpcheck.records.environment import ambient_flags, describe
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Options, Session
from tests.conftest import SYSTEM
from tests.inspections import run

PLACES = (precision.ROOT, *precision.PARENTS, *precision.OPERATIONS)
OLD: list[tuple[str, Callable[[], Any]]] = [
    *((f"matmul {v}", lambda v=v: torch.set_float32_matmul_precision(v)) for v in precision.LEVELS),
    *((f"cublas {v}", lambda v=v: setattr(torch.backends.cuda.matmul, "allow_tf32", v)) for v in (True, False)),
    *((f"cudnn {v}", lambda v=v: setattr(torch.backends.cudnn, "allow_tf32", v)) for v in (True, False)),
]
NEW: list[tuple[str, Callable[[], Any]]] = [
    (f"{'.'.join(where)} {v}", lambda where=where, v=v: precision._set(where, v)) for where, v in product(PLACES, ("none", "ieee", "tf32", "bf16"))
]
SETTERS = dict(OLD + (NEW if precision.HAS_NEW else []))


def visible() -> dict[str, Any]:
    """All that torch shows of the flags, errors too."""
    readers: dict[str, Callable[[], Any]] = {
        "cublas": lambda: torch.backends.cuda.matmul.allow_tf32,
        "cudnn": lambda: torch.backends.cudnn.allow_tf32,
        "matmul": torch.get_float32_matmul_precision,
        **({str(w): lambda w=w: precision._get(w) for w in PLACES} if precision.HAS_NEW else {}),
    }
    found = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except RuntimeError:
            found[name] = "raises"
    return found


def set_all(names: list[str]) -> None:
    for name in names:
        with contextlib.suppress(RuntimeError):  # torch itself refuses some mixtures
            SETTERS[name]()


@settings(max_examples=300, deadline=None)
@given(
    before=st.lists(st.sampled_from(sorted(SETTERS)), max_size=5), within=st.lists(st.sampled_from(sorted(SETTERS)), max_size=4), tf32=st.booleans()
)
def test_flags_are_read_whatever_they_are_and_put_back(before: list[str], within: list[str], tf32: bool) -> None:
    clean = precision.read()
    try:
        set_all(before)
        shown = visible()
        found = precision.read()
        assert visible() == shown  # reading changes nothing
        assert describe("cpu")["flags"]["cuda_matmul_allow_tf32"] == (found.effective("cuda", "matmul") == "tf32")
        with precision.products(tf32):
            now = visible()
            assert "raises" not in now.values()
            assert now["cublas"] is tf32 and now["matmul"] == ("high" if tf32 else "highest")
            set_all(within)
        assert visible() == shown and precision.read() == found
    finally:
        precision.write(clean)


@pytest.mark.parametrize(("name", "action"), OLD)
def test_of_a_torch_without_the_new_flags(name: str, action: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    clean = precision.read()
    monkeypatch.setattr(precision, "HAS_NEW", False)
    try:
        action()
        found = precision.read()
        assert not found.own and precision.plain(True).own == ()
        assert (found.effective("cuda", "matmul") == "tf32") == (name in ("matmul high", "matmul medium", "cublas True"))
        assert (found.effective("cuda", "conv") == "tf32") == (name != "cudnn False")
        assert found.effective("mkldnn", "matmul") == "ieee"
    finally:
        monkeypatch.undo()
        precision.write(clean)


@pytest.mark.parametrize("name", sorted(SETTERS))
def test_formats_switch_tf32_off_and_restore(name: str) -> None:
    clean = precision.read()
    try:
        set_all([name])
        before = precision.read()
        for fmt in ("float32", "tf32", "bfloat16"):
            with arithmetic(get_format(fmt), torch.device("cpu")):
                assert not precision.read().lowered()  # a CPU's tf32 is emulated
        with arithmetic(get_format("tf32"), torch.device("cuda")):
            assert precision.read().effective("cuda", "matmul") == "tf32"
        assert precision.read() == before
    finally:
        precision.write(clean)


def _called(set_: Callable[[], Any]) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    @contextlib.contextmanager
    def within() -> Iterator[None]:
        with state.kept():
            set_()
            yield

    return within


def _subnormals() -> contextlib.AbstractContextManager[None]:
    return _called(lambda: torch.set_flush_denormal(True))()


SURROUNDINGS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "inference": torch.inference_mode,
    "no_grad": torch.no_grad,
    "device block": lambda: torch.device("meta"),
    "device": _called(lambda: torch.set_default_device("meta")),
    "float64": _called(lambda: torch.set_default_dtype(torch.float64)),
    "bfloat16": _called(lambda: torch.set_default_dtype(torch.bfloat16)),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "deterministic": _called(lambda: torch.use_deterministic_algorithms(True)),
    "medium": _called(lambda: torch.set_float32_matmul_precision("medium")),
    "subnormals": _subnormals,
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    **({"new flags": _called(lambda: setattr(torch.backends, "fp32_precision", "tf32"))} if precision.HAS_NEW else {}),
}


@contextlib.contextmanager
def surrounded(names: list[str]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(SURROUNDINGS[name]())
        yield


def test_work_sees_a_neutral_state_in_all_surroundings() -> None:
    with surrounded(sorted(SURROUNDINGS)):
        before = state.read()
        with state.neutral():
            now = state.read()
            assert now == state.neutral_state(now)
            assert state.surrounding() == before
            x = torch.ones(2, requires_grad=True)
            x.sum().backward()
            assert x.grad is not None and not x.is_inference() and x.device.type == "cpu" and x.dtype == torch.float32
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(torch.get_num_threads() + 1)
        assert state.read() == before


def test_what_nested_work_leaves_is_seen_by_the_outer_block() -> None:
    with state.neutral():
        before = state.read()
        with state.neutral():
            torch.set_default_dtype(torch.float64)
        assert before.differences(state.read()) == ["default_dtype: float32 -> float64"]
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(("text", "allowed"), [("", True), ("on", True), ("off", False)])
def test_what_is_judged_may_be_forbidden_to_keep_partial_sums_in_16_bits(monkeypatch: pytest.MonkeyPatch, text: str, allowed: bool) -> None:
    monkeypatch.setenv(REDUCED_VARIABLE, text)
    before = state.read()
    with state.neutral():
        assert dict(state.read().reductions) == {name: allowed and name in state.REDUCED for name, _ in before.reductions}
        assert state.surrounding() == before
        assert ("cells' reduced-precision reductions" in ambient_flags()) == (not allowed)
    assert state.read() == before


def test_another_word_than_on_or_off_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDUCED_VARIABLE, "false")
    with pytest.raises(InputError, match=r"variable MPCHECK_REDUCED_REDUCTIONS is 'false'; give on .* or off"), state.neutral():
        pass


KEYS = (CellKey(SYSTEM, "products.0.linear", "e3nn", "float32", "backward"), CellKey(SYSTEM, "radial_embedding", "e3nn", "bfloat16", "forward"))


def told(cache: Any, directory: Any) -> list[Any]:
    """Everything of a new session's records on two cells and one finding but how long they took."""
    session = Session(
        Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32", "bfloat16"), cache=cache, blocks=("products.0.linear", "radial*"))
    )
    suite = Suite(session, directory)
    found: list[Any] = [suite.judge(key).model_dump(exclude={"seconds"}) for key in KEYS]
    key = Key("equivariance", "products.0.linear", "e3nn", "", SYSTEM)
    return found + [f.model_dump(exclude={"seconds"}) for f in run("symmetry", session, key)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Of a run in nobody's surroundings, with a cache of its own."""
    found = told(tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("none"))
    assert [cell["verdict"] for cell in found[:2]] == ["pass", "pass"] and len(found) > 2 and found[0]["detail"]["quantities"][0]["digest"]
    return found


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=st.lists(st.sampled_from(sorted(SURROUNDINGS)), min_size=1, max_size=4, unique=True))
def test_verdicts_do_not_depend_on_the_surroundings(names: list[str], plain: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """References are made anew in the surroundings, too: the cache is empty."""
    with surrounded(names):
        before = state.read()
        found = told(tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("none"))
        assert state.read() == before
    assert found == plain


def test_all_surroundings_together(plain: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    with surrounded(sorted(SURROUNDINGS)):
        assert told(tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("none")) == plain
