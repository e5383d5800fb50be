"""The history of gates: appended to once, strict about what others wrote, and it knows since when something is red."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.history.gates import GateEntry, append_gate, entry_of, gate_history_path, read_gate_history, since
from mpcheck.history.latency.series import change_points
from mpcheck.records.document import write_records
from mpcheck.report.history import draw
from mpcheck.report.pictures.canvas import settings
from mpcheck.report.ratio_series import FLOOR, names_of, ratio_series
from tests.unit.record_samples import SLUG, cell, finding, findings, quantity, results, run

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

RED = "precision/precision:builtin:water/linear-e3nn-bfloat16-forward"

LINEAR = "linear|e3nn|bfloat16"


def entry(number: int = 0, red: Sequence[str] = (), share: float = 0.4, **changes: Any) -> GateEntry:
    date = (START + datetime.timedelta(days=number)).isoformat()
    made = entry_of(results(run(cell(quantities=[quantity(rms=1.5 * share)]), env={"commit": f"{number:012x}", "date": date})))
    return made.model_copy(update={"red": list(red), "verdicts": {"precision": "FAIL" if red else "PASS"}} | changes)


def test_an_entry_says_what_was_judged() -> None:
    cells = [
        cell(quantities=[quantity(rms=0.3), quantity("grad.weight", rms=1.2)]), cell(variant="backward", quantities=[quantity(rms=0.9)]),
        cell("bad", verdict="fail", quantities=[quantity(rms=None), quantity("grad.weight", rms=3.0)]), cell("none", quantities=[]),
    ]  # fmt: skip
    made = entry_of(results(run(*cells), findings("audit", finding(check="physics", verdict="unsupported"))), "nightly")
    assert made.ratios == {LINEAR: pytest.approx(0.8), "bad|e3nn|bfloat16": pytest.approx(2.0)}
    assert made.verdicts == {"precision": "FAIL", "audit": "NOTHING JUDGED"}
    assert made.red == [RED.replace("linear", "bad")]
    assert (made.kind, made.commit, made.date, made.device) == ("nightly", "abc123", "2026-01-02T03:04:05+00:00", SLUG)


def test_records_without_commit_and_date_count_as_of_now() -> None:
    env = {"commit": "", "date": ""}
    made = entry_of(results(run(cell(), env=env)))
    assert made.commit == "unknown"
    assert abs(made.time - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(hours=1)


def test_a_date_that_is_none_is_refused_in_a_line() -> None:
    with pytest.raises(InputError, match=r"records reports/precision.json: .*'yesterday' is not a time") as refusal:
        entry_of(results(run(cell(), env={"date": "yesterday"})))
    assert "\n" not in str(refusal.value)


def test_records_of_nothing_are_not_recorded() -> None:
    with pytest.raises(InputError, match="nothing in them, so nothing to record"):
        entry_of(results(run()))


def test_the_same_work_of_a_commit_is_recorded_once(tmp_path: Path) -> None:
    path = gate_history_path(tmp_path, SLUG)
    assert append_gate(path, entry(0))
    assert not append_gate(path, entry(0, red=[RED]))
    again = entry(0)
    others = [
        entry(1), again.model_copy(update={"kind": "nightly"}), again.model_copy(update={"options": "others"}),
        again.model_copy(update={"verdicts": {"audit": "PASS"}}), again.model_copy(update={"model": again.model.model_copy(update={"digest": "x"})}),
    ]  # fmt: skip
    assert all(append_gate(path, other) for other in others)
    assert read_gate_history(path).entries == [entry(0), *others]


def test_unknown_commits_are_told_apart_by_time(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    assert [append_gate(path, entry(n, commit="unknown")) for n in (0, 1, 1)] == [True, True, False]


def test_a_truncated_line_is_closed_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    append_gate(path, entry(0))
    append_gate(path, entry(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    append_gate(path, entry(2))
    assert path.read_bytes().startswith(whole[:-50] + b"\n")
    found = read_gate_history(path)
    assert found.entries == [entry(0), entry(2)]
    assert f"gate history {path} line 2: not valid JSON" in found.damaged[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 7}, "schema_version is 7"),
        ({"suite": "bench-history"}, "suite is 'bench-history'"),
        ({"kind": "walk"}, "field kind"),
        ({"date": "today"}, "is not a time"),
        ({"more": 1}, "field more"),
        ({"ratios": {"a": "high"}}, "field ratios.a"),
        ({"ratios": {"a": -1.0}}, "field ratios.a"),
        ({"red": ["x" * 3000]}, "field red.0"),
        ({"verdicts": 3}, "field verdicts"),
    ],
)
def test_a_line_that_is_no_entry_does_not_stop_a_gate(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    append_gate(path, entry(0))
    with path.open("a") as stream:
        stream.write(json.dumps(entry(1).model_dump() | changes) + "\n")
    append_gate(path, entry(2))
    found = read_gate_history(path)
    assert found.entries == [entry(0), entry(2)]
    (line,) = found.damaged
    assert f"{path} line 2" in line
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize("slug", ["../outside", "/etc", "", "a/b", ".hidden", "x" * 300, "a\nb"])
def test_a_device_is_no_path(slug: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device_slug"):
        gate_history_path(tmp_path, slug)


def test_since_when_it_is_red() -> None:
    other = "precision/precision:builtin:water/other-e3nn-bfloat16-forward"
    pattern = [[], [RED], [], [RED], [RED, other], [RED]]
    entries = [entry(n, red) for n, red in enumerate(pattern)]
    assert since(entries, RED) == entries[3]
    assert since(entries[:3], RED) is None
    assert since(entries, other) is None
    assert since([], RED) is None
    assert since(entries[3:], RED) == entries[3]


def test_entries_that_say_nothing_of_it_break_no_run() -> None:
    silent = [entry(4, verdicts={"bench": "PASS"}), entry(5, options="narrower"), entry(5, model=entry().model.model_copy(update={"digest": "x"}))]
    entries = [entry(2), entry(3, [RED]), *silent, entry(6, [RED])]
    assert since(entries, RED) == entries[1]
    assert since([*entries, entry(7)], RED) is None


def stepped() -> list[GateEntry]:
    """Half as much again from the eighth on, with another torch."""
    old, young = {"torch": "2.13.0"}, {"torch": "2.14.0", "e3nn": "0.5"}
    shares = [(n, (0.6 if n >= 8 else 0.4) * (1 + 0.002 * (-1) ** n)) for n in range(16)]
    return [entry(n, share=share, packages=young if n >= 8 else old) for n, share in shares]


def test_drift_of_ratios_names_commit_and_versions() -> None:
    entries = stepped()
    (change,) = change_points(ratio_series(list(reversed(entries)), LINEAR))
    assert (change.commit, change.before) == (f"{8:012x}", f"{7:012x}")
    assert change.versions == ["e3nn none -> 0.5", "torch 2.13.0 -> 2.14.0"]
    assert change.effect == pytest.approx(0.5, abs=0.02)


def test_a_series_is_of_one_work_and_never_zero() -> None:
    entries = [entry(0, share=0.1), entry(1, share=0.9, options="others"), entry(2, share=0.0)]
    assert ratio_series(entries, LINEAR).values == [pytest.approx(0.1), FLOOR]
    assert names_of(entries, "lin*") == names_of(entries, "linear") == names_of(entries, "*|e3nn|*") == [LINEAR]
    with pytest.raises(InputError, match="no rounding ratio in the history matches 'line'; known are linear"):
        names_of(entries, "line")


def test_the_picture_takes_any_name() -> None:
    hostile = r"$\frac{$" + "\x1b"
    series = ratio_series([e.model_copy(update={"ratios": {hostile: e.ratios[LINEAR]}, "commit": hostile}) for e in stepped()], hostile)
    with settings():
        figure = draw([series], SLUG)
        figure.canvas.draw()  # type: ignore[no-untyped-call]  # lays out every text, and would read formulas
    assert figure.axes[0].get_ylabel() == "error ÷ allowed"


def test_the_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place, records = tmp_path / "baselines", tmp_path / "reports"
    write_records(records / "precision.json", run(cell(verdict="fail", reason="too large")))
    write_records(records / "audit.json", findings("audit", finding(check="physics")))
    record = ["history", "record", str(records), "--dir", str(place)]
    assert [main([*record, "--kind", "nightly"]), main([*record, "--kind", "nightly"])] == [0, 0]
    first, second = capfd.readouterr().out.splitlines()
    assert first.startswith("added to")
    assert second.startswith("already in")
    path = gate_history_path(place, SLUG)
    for other in stepped():
        append_gate(path, other)
    with path.open("a") as stream:
        stream.write("{half\n")
    assert main(["history", "show", "--dir", str(place)]) == 0
    out, err = capfd.readouterr()
    assert "17 gates" in out
    assert "abc123 nightly m precision FAIL, audit PASS" in out
    assert f"    red: {RED}" in out
    assert "warning: gate history" in err
    assert main(["history", "changes", "linear", "--what", "ratio", "--dir", str(place)]) == 0
    out, _ = capfd.readouterr()
    assert f"{8:012x}" in out
    assert "torch 2.13.0 -> 2.14.0" in out
    picture = tmp_path / "x.svg"
    assert main(["history", "plot", "linear", "--what", "ratio", "--dir", str(place), "--out", str(picture)]) == 0
    assert picture.read_text().startswith("<?xml")
    for arguments, words in (
        (["plot", "linear", "--out", "x.svg", "--dir", str(place)], "no latency history"),
        (["show", "--dir", str(tmp_path / "none")], "`mpcheck history record` begins one"),
        (["show", "--dir", str(place), "--device", "cuda"], f"there are {SLUG}"),
        (["record", str(tmp_path / "none")], "none"),
    ):
        assert main(["history", *arguments]) == 2
        assert words in capfd.readouterr().err


def test_records_of_a_device_that_is_a_path_write_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_records(tmp_path / "in" / "precision.json", run(cell(), env={"device_slug": "../../away"}))
    assert main(["history", "record", str(tmp_path / "in"), "--dir", str(tmp_path / "a" / "b")]) == 2
    assert "device_slug" in capfd.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_a_gate_reads_the_history_that_its_settings_name(tmp_path: Path) -> None:
    from mpcheck.gate.run import _history
    from mpcheck.gate.settings import GateSettings

    found = results(run(cell()))
    assert _history(tmp_path, GateSettings(history="kept"), found) == (), "none yet"
    append_gate(gate_history_path(tmp_path / "kept", SLUG), entry(1))
    assert [e.commit for e in _history(tmp_path, GateSettings(history="kept"), found)] == [entry(1).commit]
    assert _history(tmp_path, GateSettings(), found) == (), "none is named"


def test_records_of_somebody_else_are_read_within_tighter_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(tmp_path / "precision.json", run(cell(reason="r" * 20_000)))
    words = ["history", "record", str(tmp_path), "--dir", str(tmp_path / "kept")]
    assert main([*words, "--untrusted"]) == 2
    assert "10,000 are read at most" in capsys.readouterr().err and not (tmp_path / "kept").exists()
    assert main(words) == 0
