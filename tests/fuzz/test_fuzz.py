"""Reference, replay and symmetry agree on drawn models and structures, or the suite says why; and it is not blind there.

The corpus, every case that once found something, is replayed first; then new cases are drawn for ``MPCHECK_FUZZ_SECONDS``
(60 by default, 0 for none), the same ones in every run.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.checks.precision import CellKey
from mpcheck.judge.context import Key
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.patches import PATCHES
from tests.fuzz.cases import CORPUS, Plant, corpus, load_case
from tests.fuzz.judging import CHECKS, Judged, Note, judge_case
from tests.fuzz.runs import Campaign

SECONDS = float(os.environ.get("MPCHECK_FUZZ_SECONDS", "60"))
KEPT = corpus()
PLANTS = [(name, plant) for name, case in KEPT.items() for plant in case.plants]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # upstream's
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_corpus(name: str, tmp_path: Path) -> None:
    case = KEPT[name]
    judged = judge_case(case, tmp_path)
    wrong = [line for line in judged.wrong if not any(text in line for text in case.open)]
    assert not wrong, "\n".join(wrong)
    lost = [text for text in case.explains if not any(text in reason for reason in judged.reasons)]
    assert not lost, f"no longer explained: {lost}"
    gone = [text for text in case.open if not any(text in line for line in judged.wrong)]
    assert not gone, f"no longer wrong, take it out of `open` of {name}.yaml: {gone}"
    if case.open:
        pytest.xfail("; ".join(case.open))


def verdicts(session: Session, plant: Plant) -> list[tuple[str, str]]:
    """Verdict and reason of everything that the plant's check says of its subject."""
    system = next(iter(session.systems))
    if plant.check == "precision":
        cell = judge_by_limits(session, CellKey(system, plant.subject, plant.backend, plant.format, plant.direction))
        return [(cell.verdict, cell.reason)]
    session.formats = [f for f in session.formats if f.name == plant.format]
    fmt = "" if plant.check == "equivariance" else plant.format
    key = Key(plant.check, plant.subject, plant.backend, fmt, "" if plant.subject in ("smoothness", "edges") else system)
    return [(f.verdict, f.reason) for f in inspections.run(CHECKS[plant.check], session, key)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "plant"), PLANTS, ids=[f"{name}-{plant.patch}" for name, plant in PLANTS])
def test_planted_fault_is_seen(name: str, plant: Plant, tmp_path: Path) -> None:
    """The same piece of work is green without the fault, on references made without it, and red with it, for the right reason."""
    session = KEPT[name].session(tmp_path)
    clean = verdicts(session, plant)
    assert clean and all(verdict != "fail" for verdict, _ in clean), clean
    planted = KEPT[name].session(tmp_path)
    planted._backends = {n: b for n, b in session._backends.items() if n != "e3nn"}  # twins take seconds
    for system in planted.systems:
        planted.library(system)  # the same references: their key is the digest of weights that are still sound
    with PATCHES[plant.patch](planted, **plant.arguments):
        seen = verdicts(planted, plant)
    assert any(verdict == "fail" and plant.says in reason for verdict, reason in seen), seen


@pytest.mark.slow
@pytest.mark.skipif(SECONDS <= 0, reason="MPCHECK_FUZZ_SECONDS is 0")
def test_new_cases() -> None:
    campaign = Campaign(SECONDS, shrinking=SECONDS)
    campaign.run(None)
    found = [f"{case.digest}: " + "; ".join(judged.wrong[:3]) for case, judged in campaign.failures]
    assert not found, "python -m tests.fuzz.runs --keep writes such cases to the corpus\n" + "\n".join(found)
    assert campaign.judged, "no case was drawn"


def test_the_corpus_is_told_apart_and_says_what_it_found() -> None:
    assert KEPT, f"{CORPUS} is empty"
    assert len({case.digest for case in KEPT.values()}) == len(KEPT)
    assert all(case.found for case in KEPT.values())
    assert {plant.patch for _, plant in PLANTS} <= set(PATCHES)


def test_a_case_is_the_same_after_a_file(tmp_path: Path) -> None:
    case = next(iter(KEPT.values()))
    case.save(tmp_path / "case.yaml")
    assert load_case(tmp_path / "case.yaml") == case


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"backends": []}, "field backends"),
        ({"architecture": {"schema_version": 1, "name": "x"}}, "field architecture"),
        ({"frames": []}, "field frames"),
        ({"extra": 1}, "field extra"),
    ],
)
def test_a_broken_case_is_refused_in_a_line(change: dict[str, object], says: str, tmp_path: Path) -> None:
    case = next(iter(KEPT.values()))
    whole = case.model_dump() | change
    (tmp_path / "case.yaml").write_text(json.dumps(whole))  # JSON is YAML
    with pytest.raises(InputError, match=says):
        load_case(tmp_path / "case.yaml")


def test_what_counts_as_wrong() -> None:
    def judged(*verdicts: tuple[str, str], **other: str) -> Judged:
        return Judged([Note(f"precision:{v}", v, reason, "precision") for v, reason in verdicts], **other)

    assert not judged(("pass", ""), ("unsupported", "range"), ("known-fault", "it")).wrong
    assert judged(("pass", ""), ("fail", "ratio")).wrong
    assert judged(("pass", ""), ("unsupported", " ")).wrong  # a silent skip
    assert judged(("unsupported", "why"), ("inconclusive", "why")).wrong  # nothing was judged at all
    assert not judged(refused="upstream cannot build it").wrong
    assert judged(("pass", ""), broken="x.py:1 in f\nKeyError: 3").signatures == {"raised KeyError"}


def test_a_campaign_leaves_nothing_behind() -> None:
    default, state = torch.get_default_dtype(), torch.get_rng_state()
    Campaign(0.0).run(None)
    assert torch.get_default_dtype() == default
    assert torch.equal(torch.get_rng_state(), state)
