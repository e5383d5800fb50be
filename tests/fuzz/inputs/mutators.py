"""What is done to a valid file. Pure functions of bytes and a random stream."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

Mutator = Callable[[bytes, random.Random, Sequence[bytes]], bytes]
MOST_BYTES = 200_000
NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9.-]*")
QUOTED = re.compile(rb'"[^"\n]{0,200}"')
NUMBERS = (
    b"0", b"-1", b"1e400", b"-1e400", b"1e308", b"1e-320", b"NaN", b"Infinity", b"nan", b"inf", b"99999999999", b"999999999", b"200", b"-118",
    b"9223372036854775807", b"9223372036854775808", b"1e5", b"100000", b"1" + b"0" * 5000, b"0x" + b"f" * 5000, b"-0.0", b"1_000", b"1e-5", b"3.5",
)  # fmt: skip
VALUES = (
    b"null", b"true", b"[]", b"{}", b'""', b'"x"', b"0", b"[[]]", b'{"a": 1}', b'"' + b"x" * 30_000 + b'"', b'"\\ud800"', b'"\\u0000"',
    b'"\\u202e\\u001b[31m"', b"~", b"!!python/object:os.system", b"*a", b"&a [*a]", b"-", b"<<",
)  # fmt: skip
RAW = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\x1b[2J", b"\xe2\x80\xae", b"\r", b"\r\n", b"\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\t", b"\n\n",
    b"'", b'"', b"{", b"}", b"[", b"]", b":", b",", b"#", b"%", b"@", b"`", b"|", b">", b"...\n", b"---\n", b"\\",
)  # fmt: skip


def _place(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def truncate(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Cut off the end."""
    return data[: _place(data, rng)]


def flip(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Other bits in a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def splice(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The beginning of one and the end of another."""
    other = rng.choice(others)
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def drop(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Take a piece out."""
    start = _place(data, rng)
    return data[:start] + data[start + rng.choice((1, 2, 8, 60, 500)) :]


def repeat(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The same piece many times."""
    start = _place(data, rng)
    piece = data[start : start + rng.choice((1, 3, 20, 200))] or b"x"
    return data[:start] + piece * min(rng.choice((2, 10, 1000, 20_000)), MOST_BYTES // len(piece)) + data[start:]


def lines(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A line twice, gone, or elsewhere: fields that are missing, or there twice."""
    found = data.split(b"\n")
    line = found.pop(rng.randrange(len(found)))
    for _ in range(rng.choice((0, 1, 2, 2, 50))):
        found.insert(rng.randrange(len(found) + 1), line)
    return b"\n".join(found)


def insert(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Control characters, half characters, punctuation."""
    for _ in range(rng.choice((1, 1, 3))):
        at = _place(data, rng)
        data = data[:at] + rng.choice(RAW) + data[at:]
    return data


def _replaced(data: bytes, rng: random.Random, pattern: re.Pattern[bytes], choices: Sequence[bytes]) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data + rng.choice(choices)
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 1, 3)))), key=lambda m: -m.start()):
        data = data[: match.start()] + rng.choice(choices) + data[match.end() :]
    return data


def numbers(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Other numbers: huge, negative, not finite, with 5,000 digits."""
    return _replaced(data, rng, NUMBER, NUMBERS)


def head(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Other numbers at the beginning, where counts, versions and names of columns are."""
    return numbers(data[:120], rng, others) + data[120:]


def types(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A value of another type."""
    return _replaced(data, rng, rng.choice((NUMBER, QUOTED, WORD)), VALUES)


def words(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A word of the file in the place of another."""
    return _replaced(data, rng, WORD, [m[0] for m in WORD.finditer(data)][:200] or [b"x"])


def nest(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A value inside hundreds or thousands of brackets."""
    depth, (left, right) = rng.choice((20, 70, 1000, 20_000)), rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"- ", b""), (b"a.", b"")))
    match = rng.choice([*NUMBER.finditer(data), *QUOTED.finditer(data)] or [None])
    value, start, end = (match[0], match.start(), match.end()) if match is not None else (b"1", len(data), len(data))
    return data[:start] + left * depth + value + right * depth + data[end:]


def aliases(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """YAML whose aliases or merges stand for more than a machine holds."""
    levels, width, merge = rng.choice((5, 12, 25)), rng.choice((2, 3, 9)), rng.random() < 0.5
    bomb = b"a0: &a0 {x: 1}\n"
    for i in range(1, levels):
        names = b", ".join(b"*a%d" % (i - 1) for _ in range(width))
        bomb += b"a%d: &a%d {<<: [%s]}\n" % (i, i, names) if merge else b"a%d: &a%d [%s]\n" % (i, i, names)
    return rng.choice((bomb + data, data + b"\n" + bomb))


def swap(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Another kind of file under this name."""
    return rng.choice((*others, b"", b"{}", b"[]", b"\n", b"null", b"\0" * 4096))


DATA: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**62, -(2**62), 1e308, -1e308, 1e-320, 0.5, "", "x", "x" * 30_000, "\0", "\u202e\x1b[2J", "../../x", "fail", "pass",
    [], {}, [[]], [None] * 3, {"": None}, ["x"] * 2000, "2026-01-31", "9" * 400, "1/0", "0-1:1",
)  # fmt: skip


def _parts(data: Any) -> list[tuple[Any, Any]]:
    """Every container with every key of it."""
    found, waiting = list[tuple[Any, Any]](), [data]
    while waiting:
        inner = waiting.pop()
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        found += [(inner, key) for key in keys]
        waiting += [inner[key] for key in keys]
    return found


def fields(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """A sound JSON document, or one line of a history, in which a few fields hold something else, are gone, or are there under another name."""
    try:
        whole = [json.loads(data)]
        single = True
    except (ValueError, RecursionError):
        single = False
        try:
            whole = [json.loads(line) for line in data.splitlines()]
        except (ValueError, RecursionError):
            return types(data, rng, others)
    for _ in range(rng.choice((1, 1, 2, 4))):
        parts = _parts(whole)
        if not parts:
            break
        inner, key = rng.choice(parts)
        value = rng.choice((rng.choice(DATA), rng.choice(parts)[0], [inner[key]] * rng.choice((0, 2, 9))))
        if isinstance(inner, dict) and rng.random() < 0.2:
            inner[str(rng.choice(DATA))[:50]] = inner.pop(key)
        elif rng.random() < 0.2:
            del inner[key]
        else:
            inner[key] = copy.deepcopy(value)
    return b"\n".join(json.dumps(part, indent=1 if single else None).encode() for part in whole)


MUTATORS: tuple[Mutator, ...] = (
    truncate,
    flip,
    splice,
    drop,
    repeat,
    lines,
    insert,
    numbers,
    numbers,
    types,
    types,
    words,
    nest,
    aliases,
    swap,
    *(fields,) * 6,
)


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to three mutations, one after another."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATORS)(data, rng, others)[:MOST_BYTES]
    return data
