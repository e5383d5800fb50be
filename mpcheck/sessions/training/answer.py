"""The first lines: which ways of training are as good as float64, which are not, and which went wrong."""

from __future__ import annotations

from mpcheck._text import counted, listed
from mpcheck.learning.regimes import REFERENCE
from mpcheck.records.document import Records
from mpcheck.sessions.training.tables import Told, compared, gap, told

TEST, FORCE, ENERGY = "test", "force_meV_per_A", "energy_meV_per_atom"


def answer(document: Records) -> list[str]:
    """One line for each kind of regimes that there are, in the user's units."""
    every = told(document)
    if not any(one.runs for one in every):
        return ["nothing was trained: " + next((r.reason for one in every for r in one.records if r.reason), "no training has ended")]
    lines = [_reference(one) for one in every if one.regime == REFERENCE and one.runs]
    sound = [one for one in every if one.regime != REFERENCE and one.runs and not one.red]
    for decision, words in (
        ("equivalent", "learns forces as well"),
        ("different", "learns forces otherwise"),
        ("cannot tell", "cannot be told apart"),
    ):
        names = [_beside(document, one) for one in sound if _decision(document, one) == decision]
        if names:
            lines.append(f"{words}: {'; '.join(names)}")
    lines += [f"goes wrong: {one.regime}: {next(r.reason for r in one.records if r.red)}" for one in every if one.red]
    if (added := gap(document)) is not None:
        lines.append(f"the same weights in a float64 model err by the same forces within {added:.2g} %: what differs was learned so")
    return lines


def _reference(one: Told) -> str:
    forces, energies = one.values(TEST, FORCE), one.values(TEST, ENERGY)
    told_ = f"{sum(forces) / len(forces):.0f} meV/Å and {sum(energies) / len(energies):.1f} meV/atom" if forces and energies else "no number"
    return f"float64 errs on the test set by {told_}, {counted(len(one.runs), 'seed')}, {one.runs[0].epochs} epochs; beside it"


def _decision(document: Records, one: Told) -> str:
    found = compared(document, one.regime).get((TEST, FORCE))
    return found.decision if found is not None else ""


def _beside(document: Records, one: Told) -> str:
    found = compared(document, one.regime)[TEST, FORCE]
    return f"{one.regime} {found.mean_percent:+.1f} %" if found.mean_percent is not None else one.regime


def note(document: Records) -> str:
    """One line for a report of several sessions."""
    lines = answer(document)
    wrong = [one.regime for one in told(document) if one.red]
    return f"goes wrong: {listed(wrong, 3)}" if wrong else lines[min(1, len(lines) - 1)]
