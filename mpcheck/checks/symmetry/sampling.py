"""How group elements are drawn, always the same ones, and how a failing one is shrunk to the simplest that fails.

The strategies of hypothesis put the awkward elements first (quarter turns that permute the axes, half turns, tiny angles,
the swap of two atoms), so that shrinking a failure ends at the simplest element that still fails.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin, sqrt
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, Phase, configuration, find, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException, NoSuchExample

from mpcheck.adapters.facts.rotation import IDENTITY, Quaternion, Turn
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap

FARTHEST = 100  # Å of a translation
EFFORT = 60  # elements tried in shrinking one failure
E = TypeVar("E", Turn, Shuffle, Shift, Wrap)
T = TypeVar("T")
Integers = Callable[[int, int], st.SearchStrategy[int]]


def _uniform(number: int) -> Quaternion:
    """A uniform rotation (Shoemake 1992, Graphics Gems III, p. 124) from a seed.

    hypothesis prefers small and round numbers, which are not uniform rotations; seeds may be as small and round as they like.
    """
    stream = Random(number)
    u, v, w = stream.random(), 2 * pi * stream.random(), 2 * pi * stream.random()
    return (sqrt(1 - u) * cos(v), sqrt(1 - u) * sin(v), sqrt(u) * sin(w), sqrt(u) * cos(w))


def _quarter_turns() -> list[Quaternion]:
    """The rotations that permute the axes: 90° about one, 120° about a diagonal, 180° about one or between two; exact."""
    quarter = [(1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1), (1, -1, 0, 0), (1, 0, -1, 0), (1, 0, 0, -1)]
    third = [(1, x, y, z) for x in (1, -1) for y in (1, -1) for z in (1, -1)]
    half = [(0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 1, 1, 0), (0, 1, 0, 1), (0, 0, 1, 1), (0, 1, -1, 0), (0, 1, 0, -1), (0, 0, 1, -1)]
    return [(float(w), float(x), float(y), float(z)) for w, x, y, z in (*quarter, *third, *half)]


def _from_bits(low: int, high: int) -> st.SearchStrategy[int]:
    """Uniform integers made of bits.

    hypothesis mixes constants of the code that is loaded into numbers that it draws itself, so that a seed would not give
    the same elements in every run; into bits it does not. They shrink badly, though.
    """
    bits = st.tuples(*[st.booleans()] * ((high - low).bit_length() + 3))
    return bits.map(lambda b: low + sum(bit << i for i, bit in enumerate(b)) % (high - low + 1))


@dataclass(frozen=True)
class Strategies:
    """Strategies of group elements on top of a strategy of integers."""

    awkward: dict[str, st.SearchStrategy[Quaternion]]
    uniform: st.SearchStrategy[Quaternion]
    permutations: st.SearchStrategy[Shuffle]
    translations: st.SearchStrategy[Shift]
    lattice: st.SearchStrategy[Wrap]

    @property
    def rotations(self) -> st.SearchStrategy[Quaternion]:
        """The awkward ones first."""
        return st.one_of(*self.awkward.values(), self.uniform)

    def of(self, kind: str) -> st.SearchStrategy[Element] | None:
        """Of one kind of element; None of a kind with a single element."""
        every: dict[str, st.SearchStrategy[Element]] = {
            "rotation": self.rotations.map(lambda q: Turn(q)), "rotoinversion": self.rotations.map(lambda q: Turn(q, inverted=True)),
            "permutation": self.permutations, "translation": self.translations, "lattice": self.lattice,
        }  # fmt: skip
        return every.get(kind)


def _strategies(integers: Integers) -> Strategies:
    def choice(items: Sequence[T]) -> st.SearchStrategy[T]:
        return integers(0, len(items) - 1).map(lambda i: items[i])

    def either(first: st.SearchStrategy[T], second: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
        return integers(0, 1).flatmap(lambda i: second if i else first)

    def three(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, T, T]]:
        return st.tuples(strategy, strategy, strategy)

    seeds = integers(0, 2**31 - 1)
    axes = three(integers(-3, 3)).filter(any).map(lambda a: (float(a[0]), float(a[1]), float(a[2])))
    flags = choice([(True, False), (False, True), (True, True)])
    swaps = st.tuples(integers(0, 1), integers(2, 40))
    lengths = either(integers(-FARTHEST, FARTHEST).map(float), seeds.map(lambda n: (n / 2**30 - 1) * FARTHEST))
    cells = three(integers(-2, 2)).filter(all)  # every direction, so that a wrong sign in any one is seen
    return Strategies(
        awkward={
            "axes": choice(_quarter_turns()),
            "half": axes.map(lambda a: (0.0, *a)),
            "tiny": st.tuples(integers(8, 40), axes).map(lambda t: (2.0 ** t[0], *t[1])),  # angles of 2^(1-k) times the axis' length
        },
        uniform=seeds.map(_uniform),
        permutations=either(
            st.builds(lambda f, s: Shuffle(f[0], f[1], swap=s), flags, swaps), st.builds(lambda f, s: Shuffle(f[0], f[1], seed=s), flags, seeds)
        ),
        translations=three(lengths).filter(any).map(Shift),
        lattice=either(st.builds(lambda a, c: Wrap(a, c), integers(0, 40), cells), seeds.map(lambda s: Wrap(seed=s))),
    )


DRAWING = _strategies(_from_bits)
SHRINKING = _strategies(st.integers)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Hypothesis keeps notes in ``.hypothesis`` of the working directory; these go to a temporary one."""
    before = getattr(configuration, "__hypothesis_home_directory", None)
    with tempfile.TemporaryDirectory(prefix="mpcheck-") as directory:
        configuration.set_hypothesis_home_dir(directory)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)


def drawn(strategy: st.SearchStrategy[E], count: int, number: int) -> list[E]:
    """``count`` different elements of a strategy, the same for the same seed ``number``."""
    examples: list[E] = []
    if not count:
        return examples

    @settings(max_examples=8 * count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(element: E) -> None:
        if element not in examples:
            examples.append(element)

    with _elsewhere():
        seed(number)(collect)()
    # the first that hypothesis makes are its simplest; take them from all over
    return examples if len(examples) <= count else [examples[i * len(examples) // count] for i in range(count)]


def spectrum(number: int, awkward: int, random: int) -> list[Turn]:
    """Rotations of every kind: the identity, ``awkward`` of the awkward ones in turn, then ``random`` uniform ones."""
    turns = [Turn(IDENTITY)] if awkward else []
    each = -(-awkward // len(DRAWING.awkward))
    pools = [drawn(s.map(lambda q: Turn(q)), each, number + i) for i, s in enumerate(DRAWING.awkward.values())]
    turns += [pool[i] for i in range(each) for pool in pools if i < len(pool)][:awkward]
    return turns + drawn(DRAWING.uniform.map(lambda q: Turn(q)), random, number)


def inverted(turns: list[Turn]) -> list[Turn]:
    """The same, each followed by inversion."""
    return [Turn(t.quaternion, True) for t in turns]


@lru_cache(maxsize=16)
def elements(number: int, awkward: int, random: int, others: int) -> tuple[Element, ...]:
    """A fixed spectrum of the whole group: rotations, inversion, roto-inversions, permutations, translations, lattice shifts."""
    turns = spectrum(number, awkward, random)
    every: list[Element] = [*turns, Turn(inverted=True), *inverted(turns[-max(1, random // 2) :])]
    every += [*drawn(DRAWING.permutations, others, number), Shuffle(True, True, seed=number)]
    every += [Shift((float(FARTHEST), -float(FARTHEST), 0.5)), *drawn(DRAWING.translations, others, number)]
    every += [Wrap(atom=0, cells=(1, -2, 1)), *drawn(DRAWING.lattice, others, number)]
    return tuple(every)


def simplest(element: Element, fails: Callable[[Element], bool], effort: int = EFFORT) -> Element:
    """The simplest element of the same kind for which ``fails``, or ``element`` where no simpler one is found.

    Args:
        fails: the predicate; effort: how many elements it may be asked about.
    """
    strategy = SHRINKING.of(element.kind)
    if isinstance(element, Turn) and fails(Turn(inverted=element.inverted)):
        return Turn(inverted=element.inverted)
    if strategy is None:
        return element
    best, asked = element, 0

    def condition(candidate: Element) -> bool:
        nonlocal best, asked
        asked += 1
        if asked > effort or not fails(candidate):
            return False
        best = candidate  # hypothesis goes on only from what is simpler than the best so far
        return True

    chosen = settings(max_examples=effort, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    with _elsewhere(), contextlib.suppress(NoSuchExample, HypothesisException):  # the latter where the effort ends within the shrinking
        find(strategy, condition, settings=chosen, random=Random(0))
    return best
