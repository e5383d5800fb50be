"""Every fault of a policy turns ``mpcheck policy`` red in the right place, every sound lookalike leaves it green, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.judging.structures import JUDGED, Sets
from mpcheck.records.record import Record
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy import judged as module
from mpcheck.sessions.policy.work import PolicyWork
from tests.faults.patches.planting import times_run
from tests.faults.policies.entries import PATCHES, TWINS, Plant, Twin, load_faults
from tests.unit.checks.uses.small_models import built

ISOLATED = np.array([-13.587, -2041.839])
"""eV: such as no narrow type holds."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> PolicyWork:
    """All policies of the list on a small model of two interactions and six atoms."""
    place = tmp_path_factory.mktemp("policies")
    torch.save(built("ScaleShiftMACE", atomic_energies=ISOLATED), place / "small.model")
    positions = [[0.1, 0.0, 0.0], [0.9, 0.3, 0.1], [-0.5, 0.8, 0.2], [2.2, 1.9, 0.4], [2.9, 2.5, 0.6], [1.6, 2.4, 1.1]]
    write(place / "six.xyz", Atoms("OHHOHH", positions=positions, cell=[4.6, 4.9, 5.1], pbc=True))
    asked = {
        "model": str(place / "small.model"),
        "systems": (str(place / "six.xyz"),),
        "backends": ("e3nn",),
        "cache": place / "cache",
        "launches": 0,
    }
    made = PolicyWork(PolicyOptions(**asked))  # type: ignore[arg-type]  # fields of a dataclass
    for study in made.studies.values():  # scans and close contacts are 400 structures that none of these faults needs
        sets = study.sets
        study.__dict__["sets"] = Sets(tuple(s for s in sets.sets if s.kind in JUDGED), sets.notes)
    return made


def judged(work: PolicyWork, policy: str) -> dict[str, Record]:
    piece = next(p for p in work.pieces() if (p.planned.check, p.planned.subject) == ("policy", policy))
    return {r.variant: r for r in work.records(piece)}


@pytest.fixture(scope="module")
def clean(work: PolicyWork) -> Any:
    """A policy's records without any fault, once for each."""
    held: dict[str, dict[str, Record]] = {}
    return lambda policy: held.setdefault(policy, held.get(policy) or judged(work, policy))


def _plants() -> Iterator[Any]:
    for fault in load_faults():
        for place, plant in enumerate(fault.plants):
            yield pytest.param(plant, marks=[] if place else [pytest.mark.smoke], id=f"{fault.id}{chr(97 + place)}-{plant.name}")


TWIN_CASES = [pytest.param(t, id=f"{f.id}-{t.name}") for f in load_faults() for t in f.twins]


def test_every_patch_and_every_twin_is_used() -> None:
    assert {p.name for f in load_faults() for p in f.plants} == set(PATCHES)
    assert {t.name for f in load_faults() for t in f.twins} == set(TWINS)


@pytest.mark.parametrize("plant", list(_plants()))
def test_mpcheck_policy_sees_the_fault(plant: Plant, work: PolicyWork, clean: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not plant.block or plant.red not in ("forces", "energy", "stress"):  # nobody is to be blamed, which takes a model for each trial
        monkeypatch.setattr(module, "guilty", lambda *_: None)
    before = clean(plant.policy)
    assert {r.verdict for r in before.values()} == {"pass"}, before
    with PATCHES[plant.name](**plant.arguments):
        found = judged(work, plant.policy)
    red = found.get(plant.red)
    assert red is not None and red.verdict == "fail", {n: (r.verdict, r.ratio, r.reason) for n, r in found.items()}
    assert not plant.block or fnmatchcase(red.block, plant.block), f"{red.block!r} is blamed: {red.reason}"
    assert plant.says in red.reason, red.reason


@pytest.mark.parametrize("twin", TWIN_CASES)
def test_a_sound_lookalike_stays_green(twin: Twin, work: PolicyWork) -> None:
    before = times_run()
    with TWINS[twin.name](**twin.arguments):
        found = judged(work, twin.policy)
    assert {r.verdict for r in found.values()} == {"pass"}, {n: (r.verdict, r.ratio, r.reason) for n, r in found.items()}
    assert times_run() > before, "it did nothing"


def test_nothing_is_left_behind(work: PolicyWork) -> None:
    study = next(iter(work.studies.values()))

    def bits(name: str) -> list[torch.Tensor]:
        made: Any = study.applied(work.policies[name], "e3nn")
        return list(evaluate(made, work.session.graph(study.system)).values().values())

    names = ("linear-bf16", "int8w+fp16", "all-bf16", "autocast-bf16")
    before = {name: bits(name) for name in names}
    for known, planted in ((PATCHES, [p for f in load_faults() for p in f.plants]), (TWINS, [t for f in load_faults() for t in f.twins])):
        for one in {p.name: p for p in planted}.values():  # type: ignore[attr-defined]  # of either kind
            with known[one.name](**one.arguments):
                bits(names[0])
    assert all(torch.equal(a, b) for name in names for a, b in zip(before[name], bits(name), strict=True))
