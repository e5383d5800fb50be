"""The one module that makes text from data fit to be shown, by drawn texts: nothing dangerous comes out of any of its functions."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mpcheck._text import (
    command,
    counted,
    duration,
    fence,
    half,
    html,
    laid_out,
    lines,
    listed,
    markdown,
    markdown_table,
    near,
    number,
    one_line,
    say,
    shell,
    shortened,
    terminal,
    visible,
    whole,
)
from tests.unit.hostile import BIDI, CONTROLS, INVISIBLE, TEXTS, check, obeyed, piled, unseen

SYNTAX = ("::", "##[", ":", "#", "[", " ", "error", "@", "`", "<", "|", "$", "\\", "'")
DANGEROUS = st.sampled_from([*CONTROLS, *BIDI, *INVISIBLE, "\ud800", "\udcff", "\u0301", *SYNTAX])
ANY = st.one_of(st.text(), st.lists(DANGEROUS, max_size=30).map("".join))


def examples(function):  # type: ignore[no-untyped-def]
    for text in TEXTS:
        function = example(text=text)(function)
    return settings(deadline=None)(function)


@examples
@given(text=ANY)
def test_half_a_pair_is_found_where_no_file_can_hold_a_text(text: str) -> None:
    expected = ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        expected = f"\\u{ord(text[error.start]):04x}"
    assert half(text) == expected


@examples
@given(text=ANY)
def test_nothing_dangerous_is_left(text: str) -> None:
    for made in (terminal(text), terminal(text, 20), lines(text)):
        check("terminal", made)
    assert "\n" not in terminal(text)
    for made in (whole(text), visible(text, 30), html(text), one_line(text), shortened(text, 9), markdown(text), shell([text, text])):
        assert not unseen(made) and not piled(made) and "\n" not in made
    assert whole(whole(text)) == whole(text) and terminal(terminal(text)) == terminal(text)


@examples
@given(text=ANY)
def test_what_is_seen_anyway_stays(text: str) -> None:
    if text.isascii() and text.isprintable() and not obeyed(text):
        assert terminal(text) == whole(text) == text
    assert len(whole(text)) >= len(re.sub(r"[\t\n\r]+", " ", text)), "nothing is dropped"


@examples
@given(text=ANY)
def test_html_has_no_markup_of_data(text: str) -> None:
    assert not re.search(r"[<>\"']", html(text)) and not re.search(r"&(?!(amp|lt|gt|quot|#x27);)", html(text))


@examples
@given(text=ANY)
def test_markdown_is_one_paragraph_of_text(text: str) -> None:
    """As a line, as an item of a list and as a cell of a table; with the extensions that make links of addresses."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    made = markdown(text)
    for place, tokens in (("{}", {"paragraph"}), ("- {}", {"bullet_list", "list_item", "paragraph"}), ("| a | b |\n|---|---|\n| {} | x |", None)):
        found = renderer.parse(place.format(made))
        kinds = {t.type.rpartition("_")[0] for t in found if t.type != "inline"}
        assert tokens is None or kinds <= tokens, (place, kinds)
        assert tokens is not None or sum(t.type == "td_open" for t in found) == 2
        inner = [child for token in found for child in token.children or ()]
        assert {child.type for child in inner} <= {"text", "text_special"}, (place, made)
        shown = "".join(child.content for child in inner)
        assert not re.search(r"@\w|#\d|(?i:gh-\d|www\.|\w://)", shown), shown


@examples
@given(text=ANY)
def test_a_workflow_command_is_one_line_and_one_command(text: str) -> None:
    made = command("error", text, file=text, title=text)
    assert not unseen(made) and "\n" not in made and not re.search(r"##\w*\[", made)
    given_, _, message = made.removeprefix("::error ").partition("::")
    assert [part.partition("=")[0] for part in given_.split(",")] == ["file", "title"]
    assert not re.search(r"%(?!25|0A|3A|2C)", made) and "\r" not in message


@pytest.mark.parametrize("text", [t for t in TEXTS if "\0" not in t and len(t) < 1000])
def test_a_command_means_its_words_and_nothing_else(text: str) -> None:
    words = ["printf", "%s|", text, "-x", "a b"]
    made = shell(words)
    check("shell", made)
    done = subprocess.run(["bash", "-c", made], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    if "\ud800" not in text:  # half a pair is no character, so that bash cannot print it
        assert done.stdout.decode("utf-8", "surrogateescape") == "|".join([*words[2:], ""])


def test_a_very_long_command_is_not_cut_into_another() -> None:
    assert shell(["rm", "n" * 5000]).startswith("# ")


def test_fences_cannot_be_closed_from_inside() -> None:
    for text in ("```", "a\n````\nb", "`" * 9):
        found = MarkdownIt().parse(fence(text))
        assert [token.type for token in found] == ["fence"]


def test_wrapping_makes_no_command() -> None:
    assert not obeyed(laid_out("a\n::error::x\n  \x1b[1m::error::y\n :::z").replace("\x1b[1m", ""))


def test_a_stream_that_cannot_encode_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    say("5 % – ✗ \ud800\u202e")
    assert stream.buffer.getvalue() == b"5 % \\u2013 \\u2717 \\ud800\\u202e\n"  # type: ignore[attr-defined]


def test_lists_numbers_and_counts() -> None:
    assert [listed("abcd", n) for n in (3, 4)] == ["a, b, c …", "a, b, c, d"]
    assert [number(x) for x in (1234.5, 0.00012345, None, "x", float("nan"))] == ["1.23e+03", "0.000123", "–", "–", "nan"]
    assert (number(1.23456, 4), number(None, none="not finite")) == ("1.235", "not finite")
    assert [counted(n, w) for n, w in ((1, "block"), (2960, "cell"), (2, "entry"), (2, "series"))] == [
        "1 block",
        "2,960 cells",
        "2 entries",
        "2 series",
    ]
    assert counted(2, "verdict of it", "verdicts of it") == "2 verdicts of it"


@examples
@given(text=ANY)
def test_a_shortened_text_keeps_its_limit(text: str) -> None:
    assert len(shortened(text, 9)) <= 9
    assert (shortened(text, 9) == one_line(text)) is (len(one_line(text)) <= 9)


@examples
@given(text=ANY)
def test_a_table_has_its_columns_whatever_is_in_it(text: str) -> None:
    made = markdown_table(("a", "b"), [(markdown(text), "1"), ("x", markdown(text))], "lr")
    assert made[1] == "|---|---:|" and made[-1] == ""
    parsed = MarkdownIt("commonmark").enable("table").parse("\n".join(made))
    kinds = [token.type for token in parsed]
    assert (kinds.count("tr_open"), kinds.count("td_open"), kinds.count("table_open")) == (3, 4, 1)


def test_durations() -> None:
    assert [duration(s) for s in (0.2, 7.4, 170.0, 9000.0)] == ["0 s", "7 s", "3 min", "2.5 h"]


def test_what_is_like_an_unknown_name() -> None:
    assert near("Flaot32", ["float64", "float32"]) == " (did you mean float32?)" and near("zz", ["float64"]) == "" and near("x", []) == ""
    assert near("interactions.1.liner", ["interactions.1.linear", "interactions.0.linear"]) == " (did you mean interactions.1.linear?)"
