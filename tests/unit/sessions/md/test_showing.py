"""What a terminal and a page show: the answer first, then tables, then what is red."""

from __future__ import annotations

from pathlib import Path

from mpcheck.sessions.md.showing import SHOWING
from tests.unit.sessions.md.samples import RUN, difference, document


def test_a_terminal_shows_the_answer_first() -> None:
    text = SHOWING.terminal(RUN)
    assert text.strip().startswith("m on builtin:water, float32 on e3nn: equivalent")
    assert text.index("equivalent to float64") < text.index("Equivalence to float64") < text.index("FAIL md-")
    assert "explodes after 3 fs" in text and "Laws of physics" not in text
    assert "Laws of physics" in SHOWING.terminal(RUN, whole=True)


def test_a_page_has_every_table_and_escapes_what_users_named() -> None:
    page = SHOWING.markdown(RUN)
    assert page.startswith("# mpcheck md: FAIL")
    assert all(f"## {title}" in page for title in ("Equivalence to float64", "Speed", "Laws of physics"))
    assert "<b>" not in SHOWING.markdown(document(difference("<b>", "equivalent")))


def test_a_note_is_the_answer() -> None:
    assert SHOWING.note(RUN, [object()]).startswith("m on builtin:water")  # type: ignore[list-item]  # of any item
    assert SHOWING.note(RUN, []) == "it recorded no conclusion at all"


def test_pictures_are_written(tmp_path: Path) -> None:
    names = [path.name for path in SHOWING.pictures(tmp_path, RUN)]
    assert names == ["md-temperature-nve.svg", "md-potential-nve.svg", "md-rdf-nve.svg", "md-parting-builtin-water.svg"]
    text = (tmp_path / "md-parting-builtin-water.svg").read_text()
    assert "promised" in text and "float32 on e3nn" in text
