"""Texts of unknown people, in reports and commands."""

from __future__ import annotations

import subprocess

import pytest

from mpcheck._text import fence, markdown, shell, visible


def test_a_fence_is_longer_than_any_in_the_command() -> None:
    made = fence("mpcheck run '````'").splitlines()
    assert made[0] == "`````sh"
    assert made[-1] == "`````"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@user", "@&#8203;user"), ("#12", r"\#&#8203;12"), ("https://a.b", "https:&#8203;//a.b"), ("www.a.b", "www&#8203;.a.b"),
        ("a@b.c", "a@&#8203;b.c"), ("&lt;", "&amp;lt;"), (":warning:", ":&#8203;warning:"), ("GH-7", "GH-&#8203;7"), ("plain 0.7", "plain 0.7"),
        ("a.linear@2", "a.linear@2"), ("a@2.b", "a@&#8203;2.b"), (" @2", "@&#8203;2"),
    ],
)  # fmt: skip
def test_nothing_becomes_a_mention_a_link_or_an_entity(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", r"a\x00b"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\u202eb", r"a\u202eb"),
        ("\ud800", r"\ud800"),
        ("a\nb\tc", "a b c"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u3164b", r"a\u3164b"),
        ("\ufe0f", r"\ufe0f"),
        ("\x85::x", r"\x85::x"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_long_names_are_cut_and_their_length_is_told() -> None:
    assert visible("n" * 10_000, 20) == "n" * 20 + "… (10,000 characters)"


def test_a_command_with_unseen_characters_stays_exact() -> None:
    word = "a\u202eb\n'c\\"
    command = shell(["printf", "%s", word])
    assert command.isprintable()
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    assert done.stdout.decode() == word
