"""Legitimate changes that look like faults stay green: no verdict moves, though the change acts, and nothing is left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from mpcheck._unsupported import Unsupported
from mpcheck.checks.physics.inputs import WARM_UP
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests.faults.asserting import refused_in_one_line, torch_left_as_it_was
from tests.faults.catalogue import Plant, load_catalogue
from tests.faults.catalogue_runs import conclude
from tests.faults.twins import TWINS, Acts, acting
from tests.faults.twins.bits import Digests, block_results, results
from tests.faults.twins.entries import FILE, Entry, covered, load_twins

WATER = "builtin:water"
PLAIN = ("float64", "float32", "bfloat16", "float16")
"""tf32 is float32 with emulated products: a mode of its own below every twin."""


def _planted(entry: Entry, acts: Acts, **other: Any) -> Callable[[Session], contextlib.AbstractContextManager[None]]:
    return lambda session: TWINS[entry.twin](session, acts, **{**entry.arguments, **other})


def _id(entry: Entry, letter: str) -> str:
    return f"{entry.fault}{letter}-{entry.twin}"


def _cases() -> Iterator[Any]:
    for entry in load_twins().twins:
        for letter, plant in covered(entry).items():
            yield pytest.param(entry, plant, marks=[pytest.mark.slow] if plant.slow else [], id=_id(entry, letter))


ROUNDING = [pytest.param(e, id=_id(e, e.planting)) for e in load_twins().twins if e.blocks]


@pytest.fixture(scope="module")
def untouched(sessions: dict[str, Session]) -> Callable[[Plant], Digests]:
    """The bits of a planting's place without any change, after the calls in which TorchScript has optimised what it runs."""
    held: dict[tuple[str, ...], Digests] = {}

    def call(plant: Plant) -> Digests:
        place = (plant.check if plant.check == "conversion" else "", plant.subject, plant.backend, plant.format, plant.session)
        if place not in held:
            held[place] = results(sessions[plant.session], plant, calls=WARM_UP + 1)
        return held[place]

    return call


def _skip_without(session: Session, backend: str) -> None:
    if backend != "e3nn" and isinstance(reason := session.backend("cueq"), Unsupported):
        pytest.skip(str(reason))


def test_every_planting_has_a_twin_and_every_twin_is_used() -> None:
    have = {(e.fault, letter) for e in load_twins().twins for letter in covered(e)}
    assert have == {(f.id, chr(97 + i)) for f in load_catalogue().faults for i in range(len(f.plants))}
    assert {e.twin for e in load_twins().twins} == set(TWINS)


def test_twins_that_round_otherwise_say_where() -> None:
    """Twins of blocks of the e3nn model; the others act on sums over the whole model, or on another backend."""
    beyond = {e.twin for e in load_twins().twins if e.bits == "changed" and not e.blocks}
    assert beyond == {"volume_by_triple_product", "edges_in_another_order", "normalisation_moved"}


def _stays_green(entry: Entry, plant: Plant, session: Session, cache: Path) -> None:
    _skip_without(session, plant.backend)
    acts = Acts()
    # the gate's own probability of a false alarm is one in a hundred: two in a row tell of something else
    for _ in range(2 if plant.check == "latency" else 1):
        seen = conclude(session, plant, fault=True, cache=cache, twin=_planted(entry, acts))
        if seen.verdict == plant.clean:
            break
    assert seen.verdict == plant.clean, f"false alarm of {entry.twin} on {plant.check} {plant.subject}: {seen.verdict} {seen.reason}"
    assert plant.clean == "pass" or plant.says in seen.reason
    assert acts.calls, f"{entry.twin} did nothing while {plant.check} {plant.subject} ran"


@pytest.mark.parametrize(("entry", "plant"), list(_cases()))
def test_the_suite_stays_green(entry: Entry, plant: Plant, sessions: dict[str, Session], tmp_path: Path) -> None:
    """Judged by references that were made without the twin: what it changes has to stay within their noise."""
    _stays_green(entry, plant.model_copy(update={"inherited": False}), sessions[plant.session], tmp_path)


@pytest.mark.slow  # each makes references anew
@pytest.mark.parametrize(("entry", "plant"), [case for case in _cases() if case.values[1].inherited])
def test_it_stays_green_where_the_references_have_it_too(entry: Entry, plant: Plant, sessions: dict[str, Session], tmp_path: Path) -> None:
    """As in an upstream that came with it: Monte Carlo arithmetic goes through the changed code."""
    _stays_green(entry, plant, sessions[plant.session], tmp_path)


@pytest.mark.parametrize(("entry", "plant"), list(_cases()))
def test_its_bits_are_as_declared_and_nothing_is_left_behind(
    entry: Entry, plant: Plant, sessions: dict[str, Session], untouched: Callable[[Plant], Digests]
) -> None:
    session = sessions[plant.session]
    _skip_without(session, plant.backend)
    before = untouched(plant)
    with torch_left_as_it_was(), _planted(entry, Acts())(session):
        during = results(session, plant)
    if not entry.blocks:  # where they are given, the next test asks in every format: 16-bit sums in float32 seldom round otherwise
        assert (during == before) == (entry.bits == "equal"), sorted(n for n in before if during.get(n) != before[n])
    if plant.check != "conversion":  # builds its models anew, and takes seconds
        assert results(session, plant) == before


@pytest.mark.parametrize("entry", ROUNDING)
def test_blocks_that_round_otherwise_stay_green_in_every_format(entry: Entry, session: Session) -> None:
    names = [b.name for b in session.library(WATER).blocks() if any(fnmatchcase(b.name, p) for p in entry.blocks)]
    assert names, f"no block matches {entry.blocks}"
    red: dict[str, list[str]] = {}
    changed = set()
    for name in names:
        acted = 0
        for fmt in PLAIN:
            keys = [CellKey(WATER, name, "e3nn", fmt, direction) for direction in DIRECTIONS]
            if all(judge_by_limits(session, key).verdict == "unsupported" for key in keys):
                continue
            before, acts = block_results(session, "e3nn", fmt, name, WATER), Acts()
            other = {"dtype": str(get_format(fmt).storage).removeprefix("torch.")} if "dtype" in entry.arguments else {}
            with _planted(entry, acts, **other)(session):
                if failures := [f"{c.subject} {c.variant}: {c.reason}" for c in (judge_by_limits(session, k) for k in keys) if c.verdict == "fail"]:
                    red.setdefault(fmt, []).extend(failures)
                changed |= {(name, fmt)} if block_results(session, "e3nn", fmt, name, WATER) != before else set()
            acted += acts.calls
        assert acted, f"{entry.twin} does nothing in {name}"
    assert set(red) == set(entry.alarms), f"false alarms in {red}, known are {entry.alarms}"
    assert changed, f"{entry.twin} changes no bits in {names}"


@pytest.mark.parametrize(
    ("direction", "name", "value"), [("forward", "PARTS", 2), ("backward", "_Parts", None)], ids=["two parts", "gradient of casts"]
)
def test_a_twin_that_falls_short_is_red(direction: str, name: str, value: Any, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two parts, 48 bits, or with a gradient that goes through the casts to float32: green is not for want of looking."""
    key = CellKey(WATER, "edge_vectors", "e3nn", "float64", direction)

    class Cast:
        apply = staticmethod(lambda x: x.float().to(x.dtype) + (x - x.float().to(x.dtype)).detach())

    monkeypatch.setattr(acting, name, value or Cast)
    with TWINS["positions_in_three_parts"](session, Acts()):
        assert judge_by_limits(session, key).verdict == "fail"
    monkeypatch.undo()
    with TWINS["positions_in_three_parts"](session, Acts()):
        assert judge_by_limits(session, key).verdict == "pass"


BROKEN = {
    "an unknown twin": ("twin: passed_on", "twin: passed_by", "unknown twin 'passed_by'"),
    "an argument too few": ("arguments: {order: 2}", "arguments: {}", "takes the arguments ['order'], not []"),
    "a field that is none": ("schema_version: 1", "schema_version: 1\nsimptom: 2", "simptom"),
    "a later schema": ("schema_version: 1", "schema_version: 2", "schema_version"),
    "a fault that is none": ("fault: A2,", "fault: A77,", "the catalogue has no planting A77"),
    "a planting that is none": ("fault: A4, planting: b", "fault: A4, planting: x", "the catalogue has no planting A4x"),
    "a planting without": ("fault: A4, planting: b", "fault: A4, planting: a", "planting A4b (strides_of_the_cell_assumed) has no twin"),
    "an alarm in no format": ("alarms: {float64:", "alarms: {float65:", "unknown format 'float65'"),
    "no reason": ('why: "as installed"', 'why: ""', "why"),
    "two lines of reason": ('why: "as installed"', 'why: "as\\ninstalled"', "why"),
    "blocks of one that changes nothing": ("bits: changed, blocks: [scale_shift]", "bits: equal, blocks: [scale_shift]", "changes no bits"),
}


@pytest.mark.parametrize(("old", "new", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_list_is_refused_in_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    refused_in_one_line(load_twins, FILE, tmp_path / "twins.yaml", old, new, says)
