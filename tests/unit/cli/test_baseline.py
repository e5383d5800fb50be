"""`mpcheck baseline` as its users run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.cli.baseline import baseline_app
from mpcheck.history.latency.aa_rate import AARate, aa_path, store_aa
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, now, read_baseline, write_baseline
from mpcheck.history.latency.history import history_path, read_history
from mpcheck.records.document import Records, write_records
from tests.unit.accounts import fields
from tests.unit.bench_samples import LINEAR, MODEL, SLUG, baseline, device, figures
from tests.unit.commands import run


def record(directory: Path, b: BenchBaseline, digest: str | None = None, suite: str = "bench") -> Path:
    """A run's records, as the session leaves them."""
    model = {"name": b.model.name, "digest": digest or b.model.digest}
    run = Records.model_validate(
        {
            "schema_version": 3,
            "suite": suite,
            "mpcheck": "0.3.0",
            "environment": {"device_slug": SLUG, "device_name": "x", "platform": "x", "packages": {}},
            "model": model,
            "systems": [],
            "options": {},
            **fields([]),
        }
    )
    write_records(directory / "bench.json", run)
    write_baseline(directory / "bench-figures.json", b)
    return directory / "bench.json"


def update(tmp_path: Path, place: Path, b: BenchBaseline, *more: str) -> str:
    return run(baseline_app, "update", record(tmp_path / "reports", b), "--dir", place, *more)


def test_update_stores_and_records(tmp_path: Path, place: Path) -> None:
    said = update(tmp_path, place, baseline())
    assert "2 new" in said
    assert read_baseline(bench_path(place, SLUG)) is not None
    assert len(read_history(history_path(place, SLUG)).entries) == 1
    assert "has this run already" in update(tmp_path, place, baseline())
    assert len(read_history(history_path(place, SLUG)).entries) == 1


def test_update_refuses_to_loosen_and_leaves_everything(tmp_path: Path, place: Path) -> None:
    update(tmp_path, place, baseline())
    before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}
    slower = baseline({LINEAR: figures(1.1), MODEL: figures(30.0)}, commit="bbbbbbbbbbbb")
    with pytest.raises(InputError, match=r"would loosen in 1 cells .*products\.0\.linear.* slower.*--reason TEXT; nothing was written"):
        update(tmp_path, place, slower)
    said = update(tmp_path, place, slower, "--dry-run")
    assert "! slower" in said
    assert "nothing was written; it needs --reason" in said
    assert {p: p.read_bytes() for p in place.rglob("*") if p.is_file()} == before
    update(tmp_path, place, slower, "--reason", "a safer kernel")
    stored = read_baseline(bench_path(place, SLUG))
    assert stored is not None
    assert (stored.provenance.reason, stored.origin(MODEL).commit, stored.origin(LINEAR).commit) == ("a safer kernel", "a" * 12, "b" * 12)
    assert [e.reason for e in read_history(history_path(place, SLUG)).entries] == ["", "a safer kernel"]


def test_update_of_a_part(tmp_path: Path, place: Path) -> None:
    update(tmp_path, place, baseline())
    part = baseline({LINEAR: figures(1.0)}, commit="c")
    assert "stays as it is" in update(tmp_path, place, part)
    with pytest.raises(InputError, match="removed"):
        update(tmp_path, place, part, "--prune")
    update(tmp_path, place, part, "--prune", "--reason", "gone upstream")
    stored = read_baseline(bench_path(place, SLUG))
    assert stored is not None
    assert stored.cells.keys() == {LINEAR}


def test_update_takes_no_other_files(tmp_path: Path, place: Path) -> None:
    reports = tmp_path / "reports"
    records = record(reports, baseline(), digest="another")
    with pytest.raises(InputError, match=r"bench-figures\.json: model\.digest is not the one in .*bench\.json"):
        run(baseline_app, "update", records, "--dir", place)
    with pytest.raises(InputError, match="suite is 'audit', which stores no latencies"):
        run(baseline_app, "update", record(reports, baseline(), suite="audit"), "--dir", place)
    (reports / "bench-figures.json").unlink()
    with pytest.raises(InputError, match=r"bench-figures\.json do not exist"):
        run(baseline_app, "update", record_only(reports), "--dir", place)
    with pytest.raises(InputError, match="does not exist"):
        run(baseline_app, "update", tmp_path / "nothing.json", "--dir", place)
    assert not place.exists()


def record_only(directory: Path) -> Path:
    records = record(directory, baseline())
    (directory / "bench-figures.json").unlink()
    return records


@pytest.mark.parametrize("name", ["bench.json", "bench-history.jsonl"])
def test_a_damaged_store_is_not_overwritten(name: str, tmp_path: Path, place: Path) -> None:
    update(tmp_path, place, baseline())
    path = place / SLUG / name
    path.write_text('{"suite": "precision"}\n')
    with pytest.raises(InputError, match="suite is 'precision'"):
        update(tmp_path, place, baseline({LINEAR: figures(0.5)}), "--reason", "x")
    assert path.read_text() == '{"suite": "precision"}\n'


def test_update_names_a_damaged_line_and_goes_on(tmp_path: Path, place: Path) -> None:
    update(tmp_path, place, baseline())
    path = history_path(place, SLUG)
    path.write_bytes(path.read_bytes()[:-50])
    assert "bench-history.jsonl line 1: not valid JSON" in update(tmp_path, place, baseline())
    assert len(read_history(path).entries) == 1


def test_show(place: Path) -> None:
    write_baseline(bench_path(place, SLUG), baseline(date=now()))
    said = run(baseline_app, "show", "--dir", place)
    assert f"{LINEAR} 1.001 0.1 3 10.01 all 0 aaaaaaaaaaaa" in said
    assert "not measured on this device" in said
    store_aa(aa_path(place, SLUG), device(), AARate(mode="ab", comparisons=50, alarms=9, nominal=0.01, commit="a", date=now()))
    said = run(baseline_app, "show", "--dir", place, "--cell", "*model*", "--device", "cpu-*")
    assert LINEAR not in said
    assert "false alarms (ab): 9 alarms in 50 comparisons" in said
    assert "must not gate" in said
    for option in ("--cell", "--device"):
        with pytest.raises(InputError, match=f"{option} nope"):
            run(baseline_app, "show", "--dir", place, option, "nope")
    with pytest.raises(InputError, match="no latency baseline"):
        run(baseline_app, "show", "--dir", place / "none")


def test_prune_asks_first(tmp_path: Path, place: Path) -> None:
    update(tmp_path, place, baseline(date="2020-01-01T00:00:00+00:00"))
    update(tmp_path, place, baseline({LINEAR: figures(0.5)}, date=now()))
    path = bench_path(place, SLUG)
    before = path.read_bytes()
    assert MODEL in (said := run(baseline_app, "prune", "--dir", place, "--older-than", "30"))
    assert LINEAR not in said
    assert "add --yes" in said
    assert path.read_bytes() == before
    run(baseline_app, "prune", "--dir", place, "--older-than", "30", "--yes")
    stored = read_baseline(path)
    assert stored is not None
    assert stored.cells.keys() == {LINEAR}
    assert "nothing to remove" in run(baseline_app, "prune", "--dir", place, "--older-than", "30", "--yes")
    with pytest.raises(InputError, match="nothing chosen"):
        run(baseline_app, "prune", "--dir", place)
    with pytest.raises(InputError, match="no device matches"):
        run(baseline_app, "prune", "--dir", place, "--keep-device", "cuda-*", "--yes")
    run(baseline_app, "prune", "--dir", place, "--cell", "builtin:water*", "--yes")
    assert not path.exists()
    assert len(read_history(history_path(place, SLUG)).entries) == 2


def test_prune_keeps_the_devices_named(place: Path) -> None:
    for slug in (SLUG, "cuda-made-up"):
        write_baseline(bench_path(place, slug), baseline(device=device(slug=slug)))
    (place / SLUG / "precision.json").write_text("{}")
    run(baseline_app, "prune", "--dir", place, "--keep-device", "cuda-*", "--yes")
    assert sorted(p.relative_to(place).as_posix() for p in place.rglob("*.json")) == [f"{SLUG}/precision.json", "cuda-made-up/bench.json"]
