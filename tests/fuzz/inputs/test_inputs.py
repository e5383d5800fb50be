"""What mutated files once found stays fixed; and the fuzzer is not blind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.inputs import runs, targets
from tests.fuzz.inputs.cases import GROWTH, Case, HangError, Kept, corpus, draw, run
from tests.fuzz.inputs.mutators import MUTATORS, mutated
from tests.fuzz.inputs.seeds import write_seeds
from tests.fuzz.inputs.targets import TARGETS, Target, call, command

KEPT = corpus()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("seeds")
    write_seeds(directory)
    return directory


@pytest.mark.parametrize("name", KEPT)
def test_corpus(name: str, root: Path) -> None:
    assert KEPT[name].found
    assert run(KEPT[name].case, root) == ""


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.every == 1])
def test_seeds_are_valid(name: str, root: Path) -> None:
    """What is mutated is taken as it is, or nothing of a mutation would matter."""
    target = TARGETS[name]
    content = (root / target.seed).read_bytes()
    for attempt in range(len(target.attempts)):
        assert run(Case(name, attempt, content), root) == ""


def plant(monkeypatch: pytest.MonkeyPatch, reader: object) -> Case:
    planted = Target("faults.yaml", "faults.yaml", (reader if callable(reader) else command(*str(reader).split()),))  # type: ignore[arg-type]
    monkeypatch.setitem(TARGETS, "planted", planted)
    return Case("planted", 0, b"x")


def test_it_sees_what_is_wrong(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(file: Path) -> None:
        raise KeyError(file.name)

    def waits(file: Path) -> None:
        monkeypatch.setattr("tests.fuzz.inputs.cases.SECONDS", 0.1)
        raise HangError

    def sleeps(file: Path) -> None:
        try:
            time.sleep(60)
        except Exception:
            return

    def grows(file: Path) -> None:
        assert len(bytearray(GROWTH + (50 << 20)))

    def says(file: Path, directory: Path) -> int:
        import sys

        print("mpcheck: error: a\nmpcheck: error: b", file=sys.stderr)
        return 2

    monkeypatch.setattr("tests.fuzz.inputs.cases.SECONDS", 1.0)
    assert run(plant(monkeypatch, call(fails)), root).startswith("raised KeyError in test_inputs.py fails")
    assert "MB of memory" in run(plant(monkeypatch, call(grows)), root)
    assert run(plant(monkeypatch, says), root) == "2 error lines"
    assert "exit status 3" in run(plant(monkeypatch, lambda file, directory: 3), root)
    assert "no answer" in run(plant(monkeypatch, call(waits)), root)
    assert "no answer" in run(plant(monkeypatch, call(sleeps)), root)
    assert run(plant(monkeypatch, "tolerances check {f}"), root) == ""


def test_a_seed_draws_the_same_case_and_mutations_change_it(root: Path) -> None:
    drawn = [draw(root, f"0-{i}") for i in range(40)]
    assert drawn == [draw(root, f"0-{i}") for i in range(40)]
    seeds = {(root / target.seed).read_bytes() for target in TARGETS.values()}
    assert sum(case.content in seeds for case in drawn) < 10
    assert len({case.target for case in drawn}) > 10
    assert len(MUTATORS) > 10 and callable(mutated)


def test_a_finding_is_made_smaller_and_kept(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chokes(file: Path) -> None:
        if b"bad" in file.read_bytes():
            raise ZeroDivisionError("bad")

    monkeypatch.setitem(TARGETS, "planted", Target("faults.yaml", "faults.yaml", (call(chokes),)))
    monkeypatch.setattr(runs, "CORPUS", tmp_path)
    case = Case("planted", 0, b"much before bad and after")
    wrong = run(case, root)
    small = runs.smaller(case, wrong, root)
    assert small.content == b"bad"
    path = runs.keep(small, wrong, "0-7")
    from mpcheck._files.yaml import load_yaml

    kept = load_yaml(Kept, path, "kept input")
    assert kept.case == small and "ZeroDivisionError" in kept.found


def test_no_command_that_reads_files_is_left_out() -> None:
    """Every command with an argument or option that names a file is tried here, or by the sessions' own tests."""
    tried = Path(targets.__file__).read_text(encoding="utf-8")
    for words in ('"report"', '"compare"', '"merge"', '"comment"', '"history", "record"', '"history", "show"', '"history", "changes"',
                  '"history", "plot"', '"baseline", "update"', '"baseline", "show"', '"baseline", "prune"', '"tolerances", "check"',
                  '"cache", "show"', '"cache", "prune"'):  # fmt: skip
        assert f"command({words}" in tried, words
