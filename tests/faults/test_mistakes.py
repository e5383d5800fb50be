"""One mistake makes one card or a few, and the first names the block: measured on whole runs, read back from their records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mpcheck._text import markdown
from mpcheck.report.cards import cards
from tests.faults import mistakes
from tests.faults.mistakes import MISTAKES, MOST, Measured, Mistake, measured, table


def _marks(one: Mistake) -> list[pytest.MarkDecorator]:
    return [pytest.mark.smoke] if one.quick else [pytest.mark.slow]


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References that were made while nothing was planted."""
    cache = tmp_path_factory.mktemp("mistakes") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPCHECK_CACHE_DIR", str(cache))
        mistakes.references(cache)
    return cache


@pytest.mark.parametrize("mistake", [pytest.param(one, id=one.name, marks=_marks(one)) for one in MISTAKES])
def test_the_first_card_names_the_block(mistake: Mistake, references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(references))
    found = measured(mistake, tmp_path)
    told = [(card.subject, card.looks) for card in found.cards]
    assert found.named, told
    assert len(found.cards) <= MOST, told
    assert sum(len(card.items) for card in found.cards) == found.red
    _, _, red = (tmp_path / "report.md").read_text(encoding="utf-8").partition("## What is red")
    first = next(line for line in red.splitlines() if line.startswith("### "))
    assert markdown(found.cards[0].subject) in first


@pytest.mark.smoke
def test_ten_mistakes_of_different_blocks_and_kinds() -> None:
    assert len(MISTAKES) == len({one.name for one in MISTAKES}) == len({one.patch for one in MISTAKES}) == 10
    assert len({one.block for one in MISTAKES}) >= 8
    assert sum(one.quick for one in MISTAKES) in (2, 3)


@pytest.mark.smoke
def test_a_card_that_names_another_block_is_seen() -> None:
    from tests.unit import report_samples as samples

    found = Measured(dataclasses.replace(MISTAKES[0], block="interactions.*.scatter"), 8, cards(samples.red()))
    assert not found.named
    assert "interactions.0.linear" in table([found])
    assert not Measured(MISTAKES[0], 0, []).named
