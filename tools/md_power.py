"""Measure what the statistics of molecular dynamics say, and after how much simulation: ``python tools/md_power.py [--repeats 100] [--longest 160]``.

Harmonic oscillators under Langevin dynamics (BAOAB) in numpy, 64 atoms, whose kinetic and potential energies are correlated as those of a real
run: two identical ensembles, and one whose thermostat is 2 % too warm. Writes docs/includes/md-power.md; three minutes of one core.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from ase import units

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the simulations are those of the tests

from mpcheck._text import markdown_table, put  # noqa: E402
from mpcheck.dynamics.statistics.correlated import Sample, sampled  # noqa: E402
from mpcheck.dynamics.statistics.decisions import CANNOT_TELL, DIFFERENT, EQUIVALENT, Decision, Row, decide  # noqa: E402
from mpcheck.dynamics.statistics.equivalence import unpaired  # noqa: E402
from mpcheck.dynamics.trajectory import Floats  # noqa: E402
from tests.unit.dynamics.samples import Oscillators, langevin  # noqa: E402

OUT = ROOT / "docs" / "includes" / "md-power.md"
TOY = Oscillators(frequency=0.05, friction=0.01, timestep=4.0)
ATOMS, SEEDS, EVERY, KELVIN, WARMER, MARGIN = 64, 3, 5, 300.0, 0.02, 0.01
OBSERVABLES = ("temperature", "potential energy")
SHORTEST = 5.0
SAID = (DIFFERENT, EQUIVALENT, CANNOT_TELL)


@dataclass(frozen=True)
class Side:
    """Of every run, [repeats, seeds, samples]: temperature in K, potential energy in K per degree of freedom."""

    temperature: Floats
    potential: Floats

    def samples(self, repeat: int, seeds: int, observable: str, length_ps: float) -> list[Sample]:
        """Of the first so many seeds and picoseconds."""
        values = self.temperature if observable == OBSERVABLES[0] else self.potential
        count = round(length_ps * 1e3 / (TOY.timestep * EVERY))
        return [sampled(values[repeat, seed, :count], length_ps) for seed in range(seeds)]


def simulate(seed: int, kelvin: float, repeats: int, longest: float) -> Side:
    """Runs at a temperature."""
    rows: list[tuple[Floats, Floats]] = []
    freedom = 3 * ATOMS * units.kB
    for step, (x, p) in enumerate(langevin(np.random.default_rng(seed), TOY, (repeats * SEEDS, ATOMS), kelvin, round(longest * 1e3 / TOY.timestep))):
        if step % EVERY == 0:
            rows.append(((p**2).sum(axis=(1, 2)) / (TOY.mass * freedom), TOY.spring * (x**2).sum(axis=(1, 2)) / freedom))
    kinetic, potential = (np.array(values).T.reshape(repeats, SEEDS, -1) for values in zip(*rows, strict=True))
    return Side(kinetic, potential)


def table(policy: Side, reference: Side, repeat: int, seeds: int, length_ps: float) -> list[Decision]:
    """Both observables of one repeat, decided together."""
    rows = []
    for name in OBSERVABLES:
        ours, theirs = (side.samples(repeat, seeds, name, length_ps) for side in (policy, reference))
        rows.append(Row(name, "policy", "K", unpaired(ours, theirs, MARGIN * KELVIN)))
    return decide(rows)


def counted(policy: Side, reference: Side, seeds: int, length_ps: float) -> tuple[Counter[str], float | None]:
    """How often each outcome of the temperature was said, an alarm of either observable, and the time that was said to be needed."""
    said, needed = Counter[str](), []
    repeats = len(policy.temperature)
    for repeat in range(repeats):
        decisions = table(policy, reference, repeat, seeds, length_ps)
        said[decisions[0].decision] += 1
        said["alarm"] += any(one.decision == DIFFERENT for one in decisions)
        needed += [decisions[0].needed_ps] if decisions[0].needed_ps is not None else []
    return Counter({name: round(100 * count / repeats) for name, count in said.items()}), float(np.median(needed)) if needed else None


def main(
    repeats: Annotated[int, typer.Option(help="Of every comparison.")] = 100,
    longest: Annotated[float, typer.Option(help="Length of a run in ps; halved down to 5.")] = 160.0,
    out: Annotated[Path, typer.Option(help="The table.")] = OUT,
) -> None:
    reference, same = simulate(1, KELVIN, repeats, longest), simulate(2, KELVIN, repeats, longest)
    warm = simulate(3, KELVIN * (1 + WARMER), repeats, longest)
    lengths = [longest / 2**n for n in range(12) if longest / 2**n >= SHORTEST][::-1]
    rows = []
    for seeds in (1, SEEDS):
        for length in lengths:
            (alike, needed), (apart, _) = (counted(side, reference, seeds, length) for side in (same, warm))
            shown = [str(one[name]) for one in (alike, apart) for name in SAID]
            rows.append([f"{seeds} × {length:g}", *shown[:3], str(alike["alarm"]), "–" if needed is None else f"{needed:.0f}", *shown[3:]])
            put(" ".join(rows[-1]))
    head = (
        "runs × ps", *(f"same: {name}" for name in SAID), "same: any alarm", "said to need, ps", *(f"2 % warmer: {name}" for name in SAID),
    )  # fmt: skip
    told = (
        f"Of 100 comparisons ({repeats} were made) of temperatures, margin {100 * MARGIN:g} %: {ATOMS} oscillators at {KELVIN:g} K, Langevin with a "
        f"friction of 1/({1 / TOY.friction:g} fs); potential energies are decided in the same table. "
        "Made by `python tools/md_power.py`."
    )
    out.write_text("\n".join([*markdown_table(head, rows, "l" + "r" * 8), told]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
