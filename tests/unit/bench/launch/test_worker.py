"""A worker answers every request, also those that go wrong."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.launch.worker import PROTOCOL, Worker, answer, serve, sources
from mpcheck.bench.work.workload import UnsupportedError


class Failing(Worker):
    """Raises in every request."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def measure(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise self.error

    costs = measure


@pytest.mark.parametrize(
    ("request_", "kind", "text"),
    [
        ('{"do": "fly"}', "input_error", "unknown request 'fly'"), ('{"do": "_key"}', "input_error", "unknown request '_key'"),
        ('{"do": "measure", "key": "a", "plan": {}, "first": true}', "input_error", "benchmark a does not exist"),
        ("no JSON", "crash", "JSONDecodeError"), ('{"do": "hello", "more": 1}', "crash", "TypeError"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_an_answer(request_: str, kind: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(Worker(), request_)
    assert list(told) == [kind] and text in told[kind]


@pytest.mark.parametrize(
    ("error", "command", "kind"),
    [
        (InputError("bad"), "measure", "input_error"), (UnsupportedError(Unsupported("no-device", "none", "cuda")), "measure", "unsupported"),
        (RuntimeError("boom"), "measure", "unsupported"), (RuntimeError("boom"), "costs", "crash"),
    ],
)  # fmt: skip
def test_what_a_benchmark_raises_is_its_own_fault(error: Exception, command: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(Failing(error), json.dumps({"do": command}))
    assert list(told) == [kind]
    if kind == "unsupported":
        assert Unsupported.of(told[kind]).code == ("no-device" if isinstance(error, UnsupportedError) else "raised")


def test_an_interrupt_is_no_answer() -> None:
    with pytest.raises(KeyboardInterrupt):
        answer(Failing(KeyboardInterrupt()), '{"do": "measure"}')


def test_one_answer_a_line() -> None:
    answers = io.StringIO()
    serve(io.StringIO('{"do": "hello"}\n{"do": "release"}\n'), answers)
    hello, released = (json.loads(line)["ok"] for line in answers.getvalue().splitlines())
    assert hello["protocol"] == PROTOCOL and "mace" in hello["sources"] and released == {}
    assert all(callable(getattr(Worker, command)) for command in Worker.COMMANDS)


def test_sources_are_told_by_their_content() -> None:
    told = sources()["mace"]
    state = hashlib.sha256()
    for path in sorted(Path(told["path"]).rglob("*.py")):
        state.update(str(path.relative_to(told["path"])).encode() + b"\0" + path.read_bytes())
    assert told["digest"] == state.hexdigest()[:16]
