"""The whole session on two molecules of water: sound dynamics is green, planted faults are red in the record that is about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import units
from ase.io import write
from ase.md.langevin import Langevin

from mpcheck._errors import InputError
from mpcheck._names import MD_DIVERGENCE, MD_EQUIVALENCE, MD_PHYSICS, MD_RUN, MD_SPEED, MD_TRACE
from mpcheck.dynamics.protocols import integrators, running
from mpcheck.records.dynamics_figures import DynamicsDifference, DynamicsDivergence, DynamicsRun, DynamicsSpeed
from mpcheck.records.record import Record
from mpcheck.sessions.md import runs as md_runs
from mpcheck.sessions.md.runs import RunKey
from mpcheck.sessions.md.work import MdWork
from tests.unit.checks.uses.small_models import built
from tests.unit.sessions.md.conftest import done, options, pair


def of(records: list[Record], check: str, **more: str) -> list[Record]:
    return [r for r in records if r.check == check and all(getattr(r, name) == value for name, value in more.items())]


def red(records: list[Record]) -> list[str]:
    return [r.id for r in records if r.red]


def test_sound_dynamics_is_green(sound: list[Record]) -> None:
    assert not [(r.id, r.reason) for r in sound if r.red]
    assert len(of(sound, MD_RUN)) == 2 * 2 * 2 + 2, "two protocols, two policies, two starts; a twin and half a time step"
    assert {r.detail.ended for r in of(sound, MD_RUN) if isinstance(r.detail, DynamicsRun)} == {"finished"}


def test_float32_is_equivalent_and_says_why(sound: list[Record]) -> None:
    rows = [r.detail for r in of(sound, MD_EQUIVALENCE) if isinstance(r.detail, DynamicsDifference)]
    assert {d.observable for d in rows} >= {"temperature_K", "potential_meV_per_atom"}
    assert all(d.decision == "equivalent" for d in rows if d.observable in ("temperature_K", "potential_meV_per_atom")), rows
    assert all(abs(d.difference or 0) < (d.margin or 0) for d in rows)


def test_trajectories_part_as_promised(sound: list[Record]) -> None:
    (record,) = of(sound, MD_DIVERGENCE)
    assert record.verdict in ("pass", "inconclusive")
    assert isinstance(record.detail, DynamicsDivergence) and record.detail.rms_A is not None and 0 < record.detail.rms_A < 1e-3


def test_speed_has_a_spread_and_an_overhead(sound: list[Record]) -> None:
    found = {r.subject: r.detail for r in of(sound, MD_SPEED)}
    assert set(found) == {"float64", "float32"}
    for detail in found.values():
        assert isinstance(detail, DynamicsSpeed)
        assert detail.steps_per_second_low <= detail.steps_per_second <= detail.steps_per_second_high  # type: ignore[operator]
        assert detail.overhead_percent is not None
    assert len(of(sound, MD_TRACE)) == 4


def _piece(work: MdWork, check: str, policy: str = "float32", protocol: str = "langevin") -> list[Record]:
    """Records of what is made of a policy's runs, or of all policies'."""
    (piece, *_) = [
        p for p in work.pieces()
        if p.key.check == check and Path(p.key.protocol).stem == protocol and (check != MD_PHYSICS or p.key.policy == policy)
    ]  # fmt: skip
    return work.records(piece)


def test_a_thermostat_at_another_temperature_is_red(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = MdWork(options(place, "langevin", length=0.12, seeds=1))
    plain = integrators._made

    def hot(atoms: Any, protocol: Any, random: Any) -> Any:
        made = plain(atoms, protocol, random)
        if isinstance(made, Langevin) and protocol.name != "equilibration":
            made.set_temperature(temperature_K=3 * protocol.temperature_K)
            made.set_friction(0.1 / units.fs)
        return made

    work.runs[next(iter(work.runs))].start(work.protocols[str(place / "langevin.yaml")], 0)  # sound
    monkeypatch.setattr(integrators, "_made", hot)
    found = [r for r in _piece(work, MD_PHYSICS) if r.red]
    assert any("temperature" in r.variant for r in found), found


def test_forces_that_are_no_gradient_are_red_in_that_policy_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = md_runs.forces_of

    def curled(model: Any, *args: Any, **kwargs: Any) -> Any:
        calculator = plain(model, *args, **kwargs)
        if model.policy.name == "float32":
            own = calculator.calculate

            def calculate(atoms: Any = None, *rest: Any, **more: Any) -> None:
                own(atoms, *rest, **more)
                forces = calculator.results["forces"]
                arms = atoms.positions - atoms.positions.mean(axis=0)
                turned = np.cross([0.0, 0.0, 1.0], arms)
                calculator.results["forces"] = forces + 0.01 * np.sqrt((forces**2).mean() / (turned**2).mean()) * turned

            calculator.calculate = calculate
        return calculator

    monkeypatch.setattr(md_runs, "forces_of", curled)
    work = MdWork(options(place, "nve", seeds=1))
    found = _piece(work, MD_PHYSICS, protocol="nve")
    assert [r.variant for r in found if r.red and "gradient" in r.variant] == ["nve-forces-are-the-gradient"]
    assert not red(_piece(work, MD_PHYSICS, "float64", "nve"))


def test_an_energy_that_is_off_is_red_where_it_must_be_equal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its own frames promise is an answer of another policy, and red of one that must be equivalent."""
    plain = md_runs.forces_of

    def shifted(model: Any, *args: Any, **kwargs: Any) -> Any:
        calculator = plain(model, *args, **kwargs)
        if model.policy.name == "float32":
            own = calculator.calculate

            def calculate(*rest: Any, **more: Any) -> None:
                own(*rest, **more)
                calculator.results = {**calculator.results, "energy": calculator.results["energy"] + 0.03}

            calculator.calculate = calculate
        return calculator

    monkeypatch.setattr(md_runs, "forces_of", shifted)
    must = _piece(MdWork(options(place, "langevin")), MD_EQUIVALENCE)
    may = _piece(MdWork(options(place, "langevin", equivalent=())), MD_EQUIVALENCE)
    (one,), (other,) = ([r for r in found if "potential" in r.variant] for found in (must, may))
    assert one.red and "it must be equivalent" in one.reason
    assert not other.red and "as its errors on frames promise" in other.reason
    assert isinstance(other.detail, DynamicsDifference) and other.detail.decision == "different"
    assert other.detail.difference == pytest.approx(5.0, abs=0.01) == other.detail.promised


def test_an_energy_that_its_frames_do_not_promise_is_red(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose numbers are not what its calculator gives at the same places: of dynamics alone."""
    from mpcheck.sessions.md.runs import Runs

    plain = Runs.run

    def run(self: Runs, key: RunKey) -> Any:
        found = plain(self, key)
        return found if key.policy == "float64" else replace(found, series={**found.series, "potential": found.series["potential"] + 0.03})

    monkeypatch.setattr(Runs, "run", run)
    (record,) = [r for r in _piece(MdWork(options(place, "langevin", equivalent=())), MD_EQUIVALENCE) if "potential" in r.variant]
    assert record.red and "promise" in record.reason


def test_an_explosion_is_red_and_told_apart(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = md_runs.forces_of

    def wild(model: Any, *args: Any, **kwargs: Any) -> Any:
        calculator = plain(model, *args, **kwargs)
        if model.policy.name == "float32":
            own = calculator.calculate

            def calculate(*rest: Any, **more: Any) -> None:
                own(*rest, **more)
                calculator.results["forces"] = calculator.results["forces"] * -40.0

            calculator.calculate = calculate
        return calculator

    monkeypatch.setattr(md_runs, "forces_of", wild)
    found = done(MdWork(options(place, "nve", seeds=1)))
    (run,) = of(found, MD_RUN, subject="float32")
    assert run.red and "explodes after" in run.reason
    assert not [r.id for r in of(found, MD_RUN) if r.red and r.subject == "float64"]
    assert {r.verdict for r in of(found, MD_EQUIVALENCE)} == {"inconclusive"}


def test_what_raises_is_a_record_of_its_policy(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = md_runs.forces_of

    def broken(model: Any, *args: Any, **kwargs: Any) -> Any:
        if model.policy.name == "float32":
            raise KeyError("bfloat16")
        return plain(model, *args, **kwargs)

    monkeypatch.setattr(md_runs, "forces_of", broken)
    found = done(MdWork(options(place, "nve", seeds=1)))
    assert all("KeyError" in r.reason for r in found if r.red)
    assert {r.check for r in found if r.red} == {MD_RUN, MD_PHYSICS, MD_DIVERGENCE, MD_EQUIVALENCE, MD_SPEED, MD_TRACE}
    assert not [r.id for r in found if r.red and r.subject == "float64"]


def test_no_volume_is_no_pressure(place: Path) -> None:
    found = done(MdWork(options(place, "npt", seeds=1)))
    assert {r.verdict for r in found} == {"unsupported"} and all("not periodic" in r.reason for r in found)


def test_a_policy_that_cannot_be_applied_is_unsupported(place: Path, tmp_path: Path) -> None:
    own = tmp_path / "odd.yaml"
    own.write_text("name: odd\ntitle: odd\nrules: [{blocks: ['no.such.block'], compute: bfloat16}]\n")
    found = done(MdWork(options(place, "nve", seeds=1, policies=(str(own),), equivalent=())))
    assert {r.verdict for r in found if r.subject == "odd"} == {"unsupported"}
    assert not red(found)


def test_a_structure_that_float64_does_not_hold_is_not_judged_and_says_what_to_do(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HOTTEST", 1e-3)
    found = done(MdWork(options(place, "nve", seeds=1)))
    assert {r.verdict for r in found} == {"unsupported"}
    assert all("equilibration in float64 explodes after" in r.reason and "a shorter time step" in r.reason for r in found)


def test_unknown_names_are_lines(place: Path) -> None:
    with pytest.raises(InputError, match="unknown policy 'float23'"):
        MdWork(options(place, "nve", policies=("float23",)))
    with pytest.raises(InputError, match="unknown protocol 'nvt'"):
        MdWork(options(place, protocols=("nvt",)))


def test_runs_are_taken_only_where_that_is_asked_for(place: Path, tmp_path: Path) -> None:
    asked = options(place, "nve", seeds=1, runs=tmp_path)
    key = RunKey(asked.protocols[0], "float64", "e3nn", 0)

    def made(**more: Any) -> tuple[Any, set[float]]:
        work = MdWork(replace(asked, **more))
        run = next(iter(work.runs.values())).run(key)
        return run, {p.stat().st_mtime_ns for p in (tmp_path / key.name).glob("chunk-*")}

    first, at = made()
    second, anew = made()
    assert at.isdisjoint(anew), "of another session"
    np.testing.assert_array_equal(first.series["potential"], second.series["potential"])
    made(resume=True)
    _, resumed = made(resume=True)
    assert made(resume=True)[1] == resumed


def test_a_model_without_energy_is_a_line(place: Path, tmp_path: Path) -> None:
    torch.save(built("AtomicDipolesMACE"), tmp_path / "dipoles.model")
    with pytest.raises(InputError, match=r"is a AtomicDipolesMACE .*nothing moves atoms in it"):
        MdWork(options(place, "nve", model=str(tmp_path / "dipoles.model")))


def test_the_first_of_several_structures_is_run_and_said(place: Path, tmp_path: Path) -> None:
    write(tmp_path / "two.xyz", [pair(), pair()])
    work = MdWork(options(place, "nve", systems=(f"{tmp_path / 'two.xyz'}@:",)))
    assert any("the first of 2 structures is run" in note for note in work.notes())


def test_a_length_without_samples_is_a_line_and_little_is_a_record(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--length is 0.001 ps; protocol .*nve.yaml needs 0.005 ps for ten samples"):
        MdWork(options(place, "nve", length=0.001))
    own = tmp_path / "frames.yaml"
    text = (place / "nve.yaml").read_text().replace("name: nve", "name: frames")
    own.write_text(text[: text.index("margins")] + "margins: {neighbours: {relative: 0.02}}\n")
    found = _piece(MdWork(options(place, protocols=(str(own),), length=0.006, seeds=1)), MD_EQUIVALENCE, protocol="frames")
    assert [(r.verdict, r.subject) for r in found] == [("inconclusive", "float32")] and "eight samples" in found[0].reason


def test_float64_alone_is_run_and_compared_with_nothing(place: Path) -> None:
    work = MdWork(options(place, "nve", policies=("float64",), seeds=1))
    assert {p.key.check for p in work.pieces()} == {MD_RUN, MD_PHYSICS, MD_SPEED, MD_TRACE}
    assert not red(done(work))


def test_runs_of_two_structures_lie_apart(place: Path, tmp_path: Path) -> None:
    other = pair()
    other.rattle(0.01, seed=1)
    write(tmp_path / "other.xyz", other)
    work = MdWork(options(place, "nve", systems=(str(place / "pair.xyz"), str(tmp_path / "other.xyz")), runs=tmp_path / "runs", seeds=1))
    assert len({runs.folder for runs in work.runs.values()}) == 2
    keys = [p.planned.key for p in work.pieces()]
    assert len(keys) == len(set(keys))


def test_names_that_nothing_tells_apart_are_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "nve.yaml").write_text((place / "nve.yaml").read_text())
    with pytest.raises(InputError, match=r"protocols .*nve.yaml and .*nve.yaml are both called nve"):
        MdWork(options(place, protocols=(str(place / "nve.yaml"), str(tmp_path / "nve.yaml"))))
    (tmp_path / "float64.yaml").write_text("name: float64\ntitle: mine\n")
    with pytest.raises(InputError, match=r"policies float64 and .*float64.yaml are both called float64"):
        MdWork(options(place, "nve", policies=(str(tmp_path / "float64.yaml"),)))
