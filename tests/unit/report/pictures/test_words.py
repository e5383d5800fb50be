"""Names and numbers as a picture shows them."""

from __future__ import annotations

import pytest

from mpcheck.report.pictures.words import extent, shorten, slug


@pytest.mark.parametrize("text", ["", "a", "m" * 500, "interactions.0.symmetric_contractions", "漢字" * 90, "e\u0301" * 90])
@pytest.mark.parametrize("room", [5.0, 40.0, 168.0])
def test_shortened_names_fit_and_keep_both_ends(text: str, room: float) -> None:
    short = shorten(text, room, 9.0)
    assert short == text or ("…" in short and extent(short, 9.0) <= max(room, 9.0))
    assert text.startswith(short.partition("…")[0]) and text.endswith(short.partition("…")[2])


def test_names_of_files_are_plain_and_never_empty() -> None:
    assert slug("heat", "../..//Etc", taken={"heat-etc"}) == "heat-etc-2"
    assert slug("漢字") == "picture"
    assert len(slug("x" * 1000)) < 60
