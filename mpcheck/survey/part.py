"""What a part of a survey is: one process that finds something out about a device, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("cpu", "cuda")
SMALL = ("builtin:hco", "--system", "builtin:water")
"""Words of a part that looks at the built-in model on one structure."""


@dataclass(frozen=True)
class Cost:
    """Seconds that a part is expected to take, start of the process included, and after which it is taken for one that hangs."""

    estimate: float
    limit: float = 0.0

    @property
    def most(self) -> float:
        """The limit; where none is declared three times the estimate, and half a minute for the process to start in."""
        return self.limit or 3.0 * self.estimate + 30.0


@dataclass(frozen=True)
class Part:
    """One process.

    Attributes:
        name: unique. subject: what it belongs to; ``--part`` takes either.
        title: what it finds out.
        order: of value, most valuable first.
        session: whose command it runs and whose records it leaves; empty where it runs ``module``.
        module: ``package.module`` with a ``main(words)``, which leaves ``found.json`` (:mod:`mpcheck.survey.found`) or what ``leaves`` says.
        words: of the command at full size; toy: at toy size, empty where another part shows the same there. ``{out}`` and ``{device}`` are
            replaced; both options are added to a session's.
        cost: by ``cuda``, ``cpu`` and ``toy``.
        timed: whether it measures times, and so runs alone. cores: of the host that it keeps busy.
        kinds: of devices that it is for.
        leaves: names, or globs, below its directory that must be there when it has ended well.
        adopted: those of them, or globs, that are baselines (``mpcheck baseline adopt``).
        keeps: checks whose figures go into the survey's own records.
        variables: of its environment.
    """

    name: str
    subject: str
    title: str
    order: int
    cost: Mapping[str, Cost]
    words: tuple[str, ...]
    toy: tuple[str, ...] = ()
    session: str = ""
    module: str = ""
    timed: bool = False
    cores: int = 1
    kinds: tuple[str, ...] = KINDS
    leaves: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def cost_at(self, scale: Scale) -> Cost:
        """What it takes there."""
        return self.cost["toy" if scale.toy else scale.kind]

    def words_at(self, scale: Scale, out: str) -> list[str]:
        """Its words with what they stand for put in."""
        words = self.toy if scale.toy else self.words
        return [word.replace("{out}", out).replace("{device}", scale.device) for word in words]


@dataclass(frozen=True)
class Scale:
    """What a survey is of: ``cpu``, ``cuda`` or ``cuda:N``, at toy or full size."""

    device: str
    toy: bool = False

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.device.partition(":")[0]

    @property
    def size(self) -> str:
        """In a word."""
        return "toy" if self.toy else "full"
