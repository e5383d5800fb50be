"""A record: one conclusion of one check, whatever the session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from mpcheck._files.yaml import Strict
from mpcheck._names import GOLDEN, PRECISION
from mpcheck.records.detail import Detail, Latency
from mpcheck.records.tensors import Drift, Number, Quantity, Tensors, share, summary
from mpcheck.records.verdicts import Verdict, red


class About(Strict):
    """What a conclusion is about.

    Attributes:
        check: its name: ``precision``, ``golden``, ``equivariance``, ``engagement``, ``latency`` …
        subject: the block, or ``model``, or the configuration that it is about.
        system: as the user named it; batch: how often it is repeated in one graph, of what is timed; None of all else.
        variant: the direction (``forward``, ``backward``), or what else was done: ``rotation``, ``swapped`` …; may be empty.
    """

    check: str
    subject: str = ""
    backend: str = ""
    format: str = ""
    system: str = ""
    batch: int | None = Field(default=None, ge=1)
    variant: str = ""

    @property
    def where(self) -> str:
        """The system, with its batch where it has one: ``builtin:water*4``."""
        return self.system if self.batch is None else f"{self.system}*{self.batch}"

    @property
    def name(self) -> str:
        """``CHECK:SYSTEM/SUBJECT-BACKEND-FORMAT-VARIANT``, empty parts left out."""
        where = "/".join(filter(None, (self.where, self.subject)))
        return f"{self.check}:" + "-".join(filter(None, (where, self.backend, self.format, self.variant)))

    @property
    def about(self) -> dict[str, Any]:
        """The fields above, for a record of the same work."""
        return {name: getattr(self, name) for name in About.model_fields}


class Planned(About):
    """One piece of work that a run was going to do, written down before it starts.

    Attributes:
        key: unique in the run; every record of the work has it.
    """

    key: str


class Part(Strict):
    """Which of a piece of work's records one is: ``number`` of ``of``, counted from 1."""

    number: int = Field(ge=1)
    of: int = Field(ge=1)


class Record(About):
    """One conclusion.

    Attributes:
        lacking: the capability that it could not run for, or ran without; empty where none that can be required is missing.
        block: the block that it blames, where its subject is a property or a model and one is to blame.
        cause: what a failure comes from, where the check can tell it by computing it; entries of the known faults ask for it.
        tolerated: the setting that allows it to be degraded; empty where none does, and a degraded one is then red.
        ratio: the measured figure in units of what sets its scale (noise scale, mostly), of tensors the one that comes closest to its limit;
            limit: what is allowed of it.
        worst: where the largest deviation is, in words.
        key: of the planned work that it is a record of; part: which of that work's records.
        detail: what was measured.
    """

    verdict: Verdict
    reason: str = ""
    block: str = ""
    cause: str = ""
    lacking: str = ""
    tolerated: str = ""
    note: str = ""
    ratio: Number = None
    limit: Number = None
    worst: str = ""
    seconds: float = 0.0
    key: str = ""
    part: Part = Part(number=1, of=1)
    detail: Detail | None = None

    @property
    def id(self) -> str:
        """Its :attr:`About.name`; of precision without the check: ``SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION``, as stored ratios have it."""
        return self.name.removeprefix(f"{PRECISION}:")

    @property
    def red(self) -> bool:
        """Whether it turns its session red."""
        return red(self.verdict, self.tolerated)

    @property
    def figures(self) -> dict[str, Any]:
        """Figures by name that the check took besides, those that are finite or told to be not."""
        return self.detail.figures if self.detail is not None else {}

    @property
    def tensors(self) -> Tensors:
        """What was compared tensor by tensor; none of a record of another kind."""
        return self.detail if isinstance(self.detail, Tensors) else Tensors()

    @property
    def quantities(self) -> list[Quantity]:
        """Its tensors."""
        return self.tensors.quantities

    @property
    def tensor(self) -> str:
        """Of a golden value, its name in the model: ``BLOCK:TENSOR``, ``forces``."""
        return ":".join(filter(None, (self.subject, self.variant)))

    @property
    def drift(self) -> Drift:
        """Of its tensors against stored ratios."""
        return self.tensors.drift

    @property
    def latency(self) -> Latency:
        """What was timed and decided; nothing of a record of another kind."""
        return self.detail if isinstance(self.detail, Latency) else Latency()

    @property
    def share(self) -> float:
        """See :func:`mpcheck.records.tensors.share`."""
        return share(self.ratio, self.limit, self.red)

    @property
    def worst_rms(self) -> float | None:
        """The largest rounding ratio of its tensors; None where there are none."""
        return max((q.rms for q in self.quantities if q.rms is not None), default=None)

    def drifted(self, drift: Drift, **changes: Any) -> Record:
        """The record with what its tensors' drift came to, and other changes."""
        return self.model_copy(update={"detail": self.tensors.model_copy(update={"drift": drift}), **changes})


def of_tensors(quantities: Sequence[Quantity], tensors: Tensors, **fields: Any) -> Record:
    """A record of tensors: its ratio is that of the decisive one."""
    return Record(**summary(quantities), **fields, detail=tensors.model_copy(update={"quantities": list(quantities)}))


def first_changed(golden: Iterable[Record]) -> str:
    """The block whose golden output changed first, in the order in which the model computes them; empty where no output did."""
    return next((r.subject for r in golden if r.check == GOLDEN and r.red and r.variant.startswith("out")), "")
