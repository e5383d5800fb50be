"""What is conserved: energy, momentum, turning; and what breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpcheck.dynamics.laws import conservation
from mpcheck.dynamics.protocols.outcome import trajectory_of
from mpcheck.dynamics.protocols.protocol import Protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from tests.unit.dynamics.toy import liquid, protocol


def made(folder: Path, own: Protocol, steps: int, atoms: Any = None) -> Run:
    return Runner(liquid() if atoms is None else atoms, own, 5, folder, {}).run(steps)


def test_the_energy_goes_with_the_square_of_the_time_step(tmp_path: Path) -> None:
    own = protocol("nve")
    run, halved = made(tmp_path / "a", own, 400), made(tmp_path / "b", own.model_copy(update={"timestep_fs": 2.0}), 800)
    assert conservation.fluctuation(run.series["conserved"], run.series["kinetic"]).state == "holds"
    found = conservation.order(run.series["conserved"], halved.series["conserved"], 4.0)
    assert found.state == "holds" and abs(found.measured - 2) < 0.5, found


def test_a_time_step_that_is_too_large_is_seen(tmp_path: Path) -> None:
    own = protocol("nve", timestep_fs=20.0, sample_fs=20.0, length_ps=4.0)
    atoms = liquid(temperature=500.0)
    run = made(tmp_path, own.model_copy(update={"temperature_K": 500.0}), 300, atoms)
    small = made(tmp_path / "small", protocol("nve", temperature_K=500.0), 300, liquid(temperature=500.0))
    ratios = [r.series["conserved"].std() / r.series["kinetic"].std() for r in (run, small)]
    assert conservation.fluctuation(small.series["conserved"], small.series["kinetic"]).state == "holds", ratios
    assert conservation.fluctuation(run.series["conserved"] * 1.0, run.series["kinetic"]).measured > 10 * ratios[1]


def test_momentum_is_conserved_and_a_push_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    atoms = liquid()
    trajectory = trajectory_of(made(tmp_path / "a", own, 200, atoms), atoms, own)
    assert conservation.momentum(trajectory, 0.0).state == "holds"
    pushed = liquid()
    plain = pushed.calc.calculate

    def push(*args: Any, **kwargs: Any) -> None:
        plain(*args, **kwargs)
        pushed.calc.results["forces"] = pushed.calc.results["forces"] + [1e-4, 0, 0]

    pushed.calc.calculate = push
    trajectory = trajectory_of(made(tmp_path / "b", own, 200, pushed), pushed, own)
    found = conservation.momentum(trajectory, 1e-6)
    assert found.state == "broken" and "momentum of the whole" in found.reason


def test_turning_is_conserved_where_nothing_is_periodic_and_a_twist_is_seen(tmp_path: Path) -> None:
    own = protocol("nve")
    for curl, state in ((0.0, "holds"), (0.1, "broken")):
        atoms = liquid(curl=curl)
        atoms.pbc = False
        trajectory = trajectory_of(made(tmp_path / str(curl), own, 100, atoms), atoms, own)
        found = conservation.angular_momentum(trajectory, 1e-6)
        assert found is not None and found.state == state
    assert conservation.angular_momentum(trajectory_of(made(tmp_path / "p", own, 40), liquid(), own), 0.0) is None
