"""Which sessions a gate runs where, and what becomes of those that come to no verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import mpcheck.gate.sessions as sessions_module
from mpcheck._errors import InputError
from mpcheck.gate.environments import Side
from mpcheck.gate.processes import Ended
from mpcheck.gate.sessions import Crash, arguments, no_verdict, run_sessions
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.sides import Sides
from mpcheck.gate.trees import Tree
from mpcheck.records.environment import GATED, describe
from mpcheck.records.record import Record
from mpcheck.reference.spec import PINNED
from mpcheck.report.write import write_state
from mpcheck.sessions.registry import get
from tests.unit import record_samples as samples

Answer = Callable[[str, str], Ended]
GREEN = Ended(0, [], 1.0)
HEAD: dict[str, Any] = {
    "systems": [{"name": "water", "reference": {"origin": "made", "code": "c0de"}}, {"name": "unused"}],
    "model": {"name": "m", "digest": "ab12"},
}


def finding(session: str = "audit", **fields: Any) -> Record:
    """A record of a session's first check."""
    return samples.finding(check=get(session).checks[0], **fields)


def write_record(directory: Path, session: str, ended: Ended) -> None:
    """What a session leaves: green or red as it ended, or no more than its plan."""
    verdict = "fail" if ended.code == 1 else "pass"
    document = (
        samples.run(samples.cell(verdict=verdict), **HEAD)
        if session == "precision"
        else samples.findings(session, finding(session, verdict=verdict), **HEAD)
    )
    if ended.code not in (0, 1):
        document = document.model_copy(update={"state": "running", "records": []})
    write_state(directory, document)


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    made = [Side(Tree(name, name[0] * 12, tmp_path, tmp_path), tmp_path / f"env-{name}") for name in ("base", "head")]
    sources = {name: {"mace": {"path": name, "version": "1", "digest": name}} for name in ("base", "head")}
    return Sides(made[1], made[0], tmp_path, sources)


class Machine:
    """Processes that end as they are told to. A record is there unless a session refused its input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **ends: Ended) -> None:
        self.ends, self.calls, self.variables = ends, [], {}  # type: ignore[var-annotated]
        monkeypatch.setattr(sessions_module, "run", self.run)

    def run(self, side: Side, function: str, words: Sequence[str], cwd: Path, log: Path, timeout: float, **variables: str) -> Ended:
        self.calls.append((side.tree.name, log.stem, list(words)))
        self.variables[side.tree.name, log.stem] = variables
        ended = self.ends.get(f"{side.tree.name}_{log.stem}", GREEN)
        if ended.code != 2:
            write_record(log.parent, log.stem, ended)
        return ended


def settings(**more: object) -> GateSettings:
    return GateSettings.model_validate({"sessions": ["precision", "audit", "bench"], **more})


def go(sides: Sides, given: GateSettings, tmp_path: Path) -> list[Crash]:
    sides.pins.clear()
    return [crash for side in sides.both for crash in run_sessions(sides, side, given, tmp_path / "out", tmp_path / "cache", lambda _: None)]


def test_base_first_and_bench_once_with_both(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert go(sides, settings(), tmp_path) == []
    assert [call[:2] for call in machine.calls] == [
        ("base", "precision"),
        ("base", "audit"),
        ("head", "precision"),
        ("head", "audit"),
        ("head", "bench"),
    ]
    against = {session: words[words.index("--against") + 1] for _, session, words in machine.calls if "--against" in words}
    assert sides.base is not None and against == {"bench": str(sides.base.home)}


def pins(machine: Machine) -> dict[tuple[str, str], str]:
    return {place: variables[PINNED] for place, variables in machine.variables.items()}


def test_head_is_judged_by_the_references_of_base_unless_told_otherwise(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    go(sides, settings(), tmp_path)
    assert {v["MPCHECK_CACHE_DIR"] for v in machine.variables.values()} == {str(tmp_path / "cache")}
    own = {("base", "precision"): "", ("base", "audit"): "", ("head", "bench"): ""}
    assert pins(machine) == {**own, ("head", "precision"): "c0de:ab12", ("head", "audit"): "c0de:ab12"}
    machine = Machine(monkeypatch)
    go(sides, settings(reference="own"), tmp_path)
    assert set(pins(machine).values()) == {""}


@pytest.mark.parametrize("ended", [Ended(2, ["Traceback", "KeyError: x"], 1.0), Ended(-9, [], 1.0), Ended(None, [], 60.0)])
def test_where_base_came_to_no_verdict_head_gets_no_references_of_its_own(
    ended: Ended, sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, base_audit=ended)
    go(sides, settings(), tmp_path)
    assert pins(machine)["head", "audit"] == ":" and pins(machine)["head", "precision"] == "c0de:ab12"


def test_records_of_head_know_their_gate(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    go(sides, settings(), tmp_path)
    told = {place: variables[GATED] for place, variables in machine.variables.items()}
    assert told["base", "precision"] == "" and json.loads(told["head", "precision"]) == {"base": "b" * 12, "head": "h" * 12}
    monkeypatch.setenv(GATED, told["head", "precision"])
    assert describe("cpu")["gate"] == {"base": "b" * 12, "head": "h" * 12}
    for broken in ("{", "[]", '{"base": "x"}'):
        monkeypatch.setenv(GATED, broken)
        with pytest.raises(InputError, match=f"variable {GATED}"):
            describe("cpu")


def test_what_cannot_be_done_on_base_is_told_and_head_is_judged(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, base_audit=Ended(2, ["mpcheck: error: no such block"], 1.0))
    assert [c.text for c in go(sides, settings(), tmp_path)] == ["audit of base: no such block"]
    del sides.sources["base"]
    sides.broken["base"] = "SyntaxError"
    machine = Machine(monkeypatch)
    assert [c.text for c in go(sides, settings(), tmp_path)] == ["import of base: SyntaxError"]
    assert {call[0] for call in machine.calls} == {"head"} and not any("--against" in call[2] for call in machine.calls)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Ended(-9, ["allocating"], 3.0), "audit of head: killed by signal 9: allocating"),
        (Ended(None, ["block 3"], 60.0), "audit of head: was ended after 60 s: block 3"),
        (Ended(2, ["Traceback", "ZeroDivisionError: x"], 3.0), "audit of head: exit status 2: Traceback | ZeroDivisionError: x"),
        (Ended(2, [], 3.0), "audit of head: exit status 2: it said nothing"),
    ],
)
def test_a_crash_of_head_is_a_line_and_its_half_record_is_gone(
    ended: Ended, expected: str, sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Machine(monkeypatch, head_audit=ended)
    assert [c.text for c in go(sides, settings(), tmp_path)] == [expected]
    assert not (tmp_path / "out" / "head" / "audit.json").exists() and (tmp_path / "out" / "head" / "bench.json").exists()


def test_bad_input_of_head_ends_the_gate_unless_something_was_judged(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Ended(2, ["noise", "mpcheck: error: no block matches 'x'"], 1.0)
    Machine(monkeypatch, head_precision=refusal)
    with pytest.raises(InputError, match=r"^precision of head: no block matches 'x'$"):
        go(sides, settings(), tmp_path)
    Machine(monkeypatch, head_bench=refusal)
    assert [c.text for c in go(sides, settings(), tmp_path / "other")] == ["bench of head: no block matches 'x'"]


def test_words_of_a_command_line(tmp_path: Path) -> None:
    given = settings(
        systems=["a.xyz", "b.xyz"], formats=["bf16"], blocks=["x*"], baselines="stored", margin=0.05, workers=2, require=["cuda"],
        bench={"blocks": ["y"], "formats": ["float32"], "launches": 2},
    )  # fmt: skip
    precision = " ".join(arguments(given, get("precision"), tmp_path, ""))
    assert "--system a.xyz --system b.xyz --format bf16 --block x* --require cuda --baselines stored" in precision and "--workers 2" in precision
    bench = " ".join(arguments(given, get("bench"), tmp_path, "env"))
    assert "--format float32 --block y" in bench and "--launches 2" in bench and "--margin 0.05 --against env" in bench and "workers" not in bench
    profile = " ".join(arguments(given, get("profile"), tmp_path, ""))
    assert "--system a.xyz --format bf16" in profile and "b.xyz" not in profile and "block" not in profile


@pytest.mark.parametrize("session", ["precision", "symmetry", "audit", "bench", "profile"])
def test_every_word_is_an_option_of_the_command(session: str, tmp_path: Path) -> None:
    from typer.main import get_command

    from mpcheck.cli.main import app

    lists = {name: ["x"] for name in ("systems", "backends", "formats", "blocks", "require")}
    given = settings(**lists, baselines="b", margin=0.1, workers=1, bench={"launches": 2, "seconds": 1.0})
    name, _, *words = arguments(given, get(session), tmp_path, "env")
    known = {option for parameter in get_command(app).commands[name].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("verdict", "ended", "why"),
    [
        ("fail", GREEN, "exit status 0, but its records say FAIL"),
        ("pass", Ended(1, [], 1.0), "exit status 1, but its records say PASS"),
        ("unsupported", GREEN, "exit status 0, but its records say NOTHING JUDGED"),
        ("unsupported", Ended(2, [], 1.0), ""),
        ("pass", GREEN, ""),
    ],
)
def test_an_exit_status_that_the_records_contradict_is_no_verdict(verdict: str, ended: Ended, why: str, tmp_path: Path) -> None:
    write_state(tmp_path, samples.findings("audit", finding(verdict=verdict)))
    assert no_verdict("audit", ended, tmp_path / "audit.json") == why


def test_records_that_lack_planned_work_are_no_verdict_and_stay(tmp_path: Path) -> None:
    document = samples.findings("audit", finding(subject="a"), finding(subject="b"))
    write_state(tmp_path, document.model_copy(update={"records": document.records[:1]}))
    assert no_verdict("audit", GREEN, tmp_path / "audit.json").startswith("exit status 0; 1 of 2 planned, but without a record: ")
    assert (tmp_path / "audit.json").is_file()
    (tmp_path / "audit.json").write_text("{")
    assert "not valid JSON" in no_verdict("audit", GREEN, tmp_path / "audit.json")
    assert not (tmp_path / "audit.json").exists()
