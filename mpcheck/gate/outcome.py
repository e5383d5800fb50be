"""What a gate concluded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mpcheck.gate.sessions import Crash
from mpcheck.history.objections import Objection, of_comparison
from mpcheck.records.attribution import innermost
from mpcheck.records.items import Item
from mpcheck.records.outcome import STATUS, WORDS, combined, worst
from mpcheck.records.outcome import Outcome as Came

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison
    from mpcheck.records.read import Results


@dataclass
class Outcome:
    """Everything that is told of a gate.

    Attributes:
        base, head: names of what was compared; base is empty where there was none.
        results: of head; None where no session came to a verdict. before: of base.
        only_new: whether failures that base has, too, leave it green.
        objections: what speaks against it beside red rows. allow: what of that, and of the comparison, the workflow tolerates.
        places: where submodules of the model are written.
    """

    base: str
    head: str
    results: Results | None
    before: Results | None = None
    comparison: Comparison | None = None
    crashes: list[Crash] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    only_new: bool = False
    places: dict[str, Place] = field(default_factory=dict)
    objections: list[Objection] = field(default_factory=list)
    allow: frozenset[str] = frozenset()

    @property
    def failures(self) -> list[Item]:
        """Red rows of head, innermost first."""
        return self.results.failures if self.results is not None else []

    @property
    def new(self) -> list[Item]:
        """Those that are not red in base."""
        known = {item.id for item in self.before.failures} if self.before is not None else set()
        return [item for item in self.failures if item.id not in known]

    @property
    def crashed(self) -> list[Crash]:
        """Of head. What base cannot do is no fault of the change."""
        return [crash for crash in self.crashes if crash.side == "head"]

    @property
    def worse(self) -> list[str]:
        """What the comparison is red for, with counts. Moved and gone rows are new by nature: base has them otherwise."""
        return of_comparison(self.comparison, self.allow)

    @property
    def objected(self) -> list[Objection]:
        """Objections that turn it red."""
        return [objection for objection in self.objections if objection.red(self.allow)]

    @property
    def outcome(self) -> Came:
        """The worst of what the sessions came to; failures that base has, too, count as passes where the settings say so. What speaks
        against the records, or against how they were asked for, makes it a failure.
        """
        if self.crashed:
            return "crashed"
        against: list[Came] = ["fail"] if self.worse or self.objected else []
        if self.results is None:
            return worst([*against, "nothing judged"])
        came = self.results.outcome
        if came == "fail" and self.only_new and not self.new:
            came = combined(self.results.documents.values(), forgiven=self.results.documents)
        return worst([*against, came])

    @property
    def verdict(self) -> str:
        """The outcome in the word that people read."""
        return WORDS[self.outcome]

    @property
    def code(self) -> int:
        """Exit status: 0 green, 1 red, 2 where nothing was judged."""
        return STATUS[self.outcome]

    @property
    def remarks(self) -> list[str]:
        """What the records by themselves do not tell of the verdict."""
        red = self.objected
        lines = [o.text(self.allow) for o in (*red, *(o for o in self.objections if o not in red))]
        lines += [f"against base: {line}" for line in self.worse]
        lines += [f"no verdict: {crash.text}" for crash in self.crashes]
        lines += [f"records of head are not whole: {line}" for line in (self.results.disorder if self.results is not None else ())]
        lines += [f"records of base are not whole: {line}" for line in (self.before.disorder if self.before is not None else ())]
        if self.failures and self.verdict == "PASS":
            lines.append("what is red is red in base, too, and the settings let that be (only-new)")
        return lines

    @property
    def headline(self) -> str:
        """Verdict first, in a line."""
        counts = f"{len(self.failures)} red" + (f", {len(self.new)} of them new" if self.before is not None and self.failures else "")
        crashes = f", {len(self.crashed)} without a verdict" if self.crashed else ""
        worse = "".join(f", {line}" for line in self.worse)
        objected = f", {len(self.objected)} objection{'s' * (len(self.objected) != 1)}" if self.objected else ""
        against = f" against base {self.base}" if self.base else ""
        return f"{self.verdict}: head {self.head or 'working tree'}{against}: {counts}{worse}{objected}{crashes}"


@dataclass(frozen=True)
class Place:
    """Where a block is written.

    Attributes:
        owner: a class; file: below the repository's top; line: of the class in it.
        own: whether it is the block's own class, not one around it.
    """

    owner: str
    file: str
    line: int
    own: bool = True


def place_of(subject: str, places: Mapping[str, Place]) -> Place | None:
    """Where a block is written, or the innermost module around it that is in the repository.

    Args:
        subject: a block's name; steps (``interactions.0.scatter``) and second calls (``NAME@2``) are in the module that makes them.
        places: by submodule; the model itself has an empty name.
    """
    found = innermost(subject, places)
    return replace(found[0], own=not found[1]) if found is not None else None
