"""All kinds of check on one planted fault, each as its session runs it, on the fault's system and backend."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast, get_args

from mpcheck._errors import error_line
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.checks.audit.observing import forget
from mpcheck.checks.audit.partial_sums import growth
from mpcheck.checks.golden import golden_paths
from mpcheck.checks.precision import cell_keys
from mpcheck.checks.symmetry import conversions, moved
from mpcheck.checks.uses import doors, modes
from mpcheck.formats import get_format
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.catalogue import CheckName, Plant
from tests.faults.catalogue_runs import BASELINES, OWN_CONFIGURATIONS, anew, conclude
from tests.faults.matrix.records import Blame, Entry, Row
from tests.faults.matrix.truth import expected, touched
from tests.faults.patches import PATCHES, converter

RED = ("fail", "degraded", "known-fault")
CONTROLS = 1  # of the blocks that the fault is not in, judged as well: a check that blames one is wrong
MOST = 3  # of a fault's blocks that block by block checks are run on; a class of layers has fifteen
# Properties that call a model dozens of times, or models of their own: asked where a fault is about one of them. Naive
# cuEquivariance is slow.
USES = (*modes.PROPERTIES, *doors.PROPERTIES, "hessian", "flags", "multipoles", "supercell")
DEAR = {"e3nn": ("ghost-classes", "batch", "second-derivatives", "directions", "strided-model", *USES)}
DEAR["cueq"] = (*DEAR["e3nn"], "repeat", "strided", "stress")
SUMMED = frozenset({"scatter", "energy_sum"})
BROKEN = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AssertionError, NotImplementedError)
_WHOLE_SUITES: dict[CheckName, str] = {
    "equivariance": "symmetry", "layout": "symmetry", "mix": "symmetry", "conversion": "symmetry",
    "engagement": "audit", "dtypes": "audit", "accumulation": "audit", "reductions": "audit", "graph": "audit", "size": "audit", "physics": "audit",
    "modes": "audit", "outputs": "audit", "doors": "audit",
}  # fmt: skip
CHECKS: tuple[CheckName, ...] = get_args(CheckName)


@dataclasses.dataclass(frozen=True)
class Red:
    """One red conclusion: its id, the blocks that it names, its reason."""

    id: str
    named: tuple[str, ...]
    reason: str


Clean = dict[Key, list[Record]]


def planted_converter(plant: Plant) -> bool:
    """Whether a fault acts while a twin is built, so that it must be built anew."""
    return plant.patch in vars(converter)


def _prepared(session: Session, plant: Plant, cache: Path) -> Session:
    """The session that a fault is planted into: shares what is built, but not what would hide the fault."""
    made = anew(session, cache) if plant.inherited else copy.copy(session)
    made.systems = {plant.system: session.systems[plant.system]}
    other = "cueq" if plant.backend == "e3nn" else "e3nn"
    made.options = dataclasses.replace(session.options, backends=(plant.backend, other), cache=made.options.cache)
    made._graphs = {}  # a faulty neighbour list makes every graph
    if planted_converter(plant):
        made._backends = {"e3nn": session.reference_backend}
        made._checks = {}
    return made


def _narrowed(session: Session, plant: Plant, truth: Sequence[str]) -> Session:
    """The session with the fault's blocks and a few that it is not in, and with its format beside the usual ones."""
    made = copy.copy(session)
    names = [b.name for b in session.library(plant.system).blocks()]
    others = [n for n in names if n not in truth]
    controls = random.Random(plant.patch).sample(others, min(CONTROLS, len(others)))
    first = [n for n in truth if n in expected(session, plant)][:1]
    kept = {*first, *[n for n in truth if n not in first][: MOST - len(first)], *controls}
    made.options = dataclasses.replace(session.options, blocks=tuple(n for n in names if n in kept))
    made.formats = [get_format(f) for f in dict.fromkeys(("float64", "bfloat16", plant.format))]
    return made


def _named(finding: Record, blocks: Sequence[str]) -> tuple[str, ...]:
    """The blocks that a finding blames: its subject, the one that it says so of, or those that it names as the worst or in its reason."""
    for told in (finding.subject, finding.block):
        if told in blocks:
            return (told,)
    for text in (finding.worst, finding.reason):
        words = set(text.replace(",", " ").replace(":", " ").replace(";", " ").split())
        if hit := [b for b in blocks if b in words]:
            return tuple(hit[:1])
    return ()


class Panel:
    """Runs the checks of one planting.

    Args:
        session: sound, its references made; cache: an empty directory, for references of an inherited fault; clean: what keys
            gave without a fault, shared by the plantings of a process; acts: pattern of the blocks that the real fault was in.
    """

    def __init__(self, session: Session, plant: Plant, cache: Path, clean: Clean, acts: str = "") -> None:
        self.plant, self.sound, self.clean = plant, session, clean
        self.faulty = _prepared(session, plant, cache)
        if planted_converter(plant):
            with self._planted():
                self.faulty.backend(plant.backend)
        # from the sound references' arguments: an inherited fault's own ones differ everywhere after it
        there = self.faulty if planted_converter(plant) else session
        self.truth = touched(
            session, there, plant, lambda: PATCHES[plant.patch](session, **plant.arguments), tuple(dict.fromkeys(("float64", plant.format)))
        )
        self.blocks = [b.name for b in session.library(plant.system).blocks()]
        wanted = [*expected(session, plant), *(n for n in self.blocks if acts and fnmatchcase(n, acts))]
        self.truth = [n for n in self.blocks if n in self.truth or n in wanted]
        self.view = _narrowed(self.faulty, plant, self.truth)

    def _planted(self) -> contextlib.AbstractContextManager[None]:
        return PATCHES[self.plant.patch](self.sound if not self.plant.inherited else self.faulty, **self.plant.arguments)

    def _precision(self) -> tuple[int, list[Red]]:
        plant, view = self.plant, self.view
        keys = cell_keys(view.blocks(plant.system), plant.system, [plant.backend], [f.name for f in view.formats])
        with self._planted():
            cells = [judge_by_limits(view, key) for key in keys]
        return len(cells), [Red(c.id, (c.subject,), c.reason) for c in cells if c.verdict in ("fail", "degraded")]

    def _keys(self, check: CheckName) -> list[Key]:
        found = inspections.keys(_WHOLE_SUITES[check], self.view, [check])
        if check == "conversion":
            design = next(c.name for c in DESIGN if c.backend == self.plant.backend or self.plant.backend == "e3nn")
            wanted = (conversions.MODEL, self.plant.subject, *([design] if planted_converter(self.plant) else []))
            return [k for k in found if k.subject in wanted]
        if check in ("mix", "conversion") and self.plant.backend == "e3nn" and self.plant.check != check:
            return []  # building models takes seconds: asked of the backends whose layouts differ from the reference's
        if check == "mix":
            return [k for k in inspections.keys("symmetry", self.view, [check]) if k.backend == self.plant.backend and k.subject in self.truth][:1]
        if check == "reductions" and not SUMMED.intersection(n.rpartition(".")[2] for n in self.truth):
            return []  # it looks at the sums over neighbours and atoms alone
        if check == "dtypes" and self.plant.check != check:
            found = [k for k in found if k.subject in self.blocks]  # constructors are built and watched for a second and more
        asked = {self.plant.subject, "ghost-classes" if self.plant.subject == "ghosts" else ""}
        dear = set(DEAR.get(self.plant.backend, DEAR["cueq"])) - asked
        return [k for k in found if k.backend in ("", self.plant.backend) and k.subject not in dear]

    def _found(self, check: CheckName, key: Key) -> list[Record]:
        try:
            return inspections.run(_WHOLE_SUITES[check], self.view, key)
        except BROKEN as error:  # a session would show a traceback: red, but no verdict
            return [Record(check=check, subject=key.subject, backend=key.backend, verdict="fail", reason=f"raised {error_line(error)}")]

    def _sound(self, check: CheckName, key: Key) -> list[Record]:
        if key not in self.clean:
            view = copy.copy(self.sound)
            view.systems, view.formats = self.view.systems, self.view.formats
            view.options = dataclasses.replace(self.view.options, cache=self.sound.options.cache)
            self._reset(view)
            self.clean[key] = inspections.run(_WHOLE_SUITES[check], view, key)
        return self.clean[key]

    @staticmethod
    def _reset(view: Session) -> None:
        moved._WHOLES.clear()  # transformed graphs were made by upstream as it was then
        forget(view)
        growth.cache_clear()

    def _session_check(self, check: CheckName) -> tuple[int, list[Red]]:
        keys = self._keys(check)
        self._reset(self.view)
        found: list[tuple[Key, Record]] = []
        own = OWN_CONFIGURATIONS.get(self.plant.subject) if check == "conversion" else None
        with self._planted():
            for key in keys:
                found += [(key, f) for f in self._found(check, key)]
        self._reset(self.view)
        red = []
        for key, f in found:
            installed = self.plant.red == self.plant.clean and f.subject == self.plant.subject  # the fault is upstream's own
            if f.verdict in RED and (installed or (f.verdict, f.variant) not in {(c.verdict, c.variant) for c in self._sound(check, key)}):
                red.append(Red(f.id, _named(f, self.blocks), f.reason))
        if own is not None:
            seen = conclude(self.sound, self.plant, fault=True)
            red += [Red(self.plant.subject, (self.plant.expected,), seen.reason)] if seen.verdict == self.plant.red else []
        return len(keys) + (own is not None), red

    def _alone(self, check: CheckName, subjects: Sequence[str]) -> tuple[int, list[Red]]:
        """Checks that compare a call without the fault with one with it, or whose subject is the whole model."""
        red = []
        work = 0
        for subject in subjects:
            asked = self.plant.model_copy(update={"check": check, "subject": subject, "variant": ""})
            with contextlib.suppress(UnsupportedError):
                seen = conclude(self.sound, asked, fault=True, cache=None if not self.plant.inherited else self.faulty.options.cache)
                work += 1
                if seen.verdict == "fail":
                    red.append(Red(f"{check}:{subject}", tuple(b for b in seen.blamed if b in self.blocks), seen.reason))
        return work, red

    def _run(self, check: CheckName) -> tuple[int, list[Red]]:
        plant = self.plant
        if check == "precision":
            return self._precision()
        if check == "golden":
            stored = not plant.model and golden_paths(BASELINES, self.sound.options.model, plant.system)[0].is_file()
            return self._alone(check, [""] if stored else [])
        if check == "cost":
            return self._alone(check, [b for b in self.view.options.blocks if b in self.truth and plant.backend in ("e3nn", "cueq")][:2])
        if check in ("latency", "first-call"):  # seconds of timing each: asked where it is time that the fault costs
            return self._alone(check, [plant.subject] if plant.check in ("latency", "first-call") else [])
        return self._session_check(check)

    def entry(self, check: CheckName) -> Entry:
        """What one kind of check says."""
        began = time.perf_counter()
        work, red = self._run(check)
        seconds = round(time.perf_counter() - began, 2)
        every = {n for r in red for n in r.named}
        named = [n for n in self.blocks if n in every] or sorted(every)
        says = f"{red[0].id}: {red[0].reason}"[:300] if red else ""
        return Entry(check=check, blame=self._blame(red, named), named=named, says=says, seconds=seconds, work=work, red=len(red))

    def _blame(self, red: Sequence[Red], named: Sequence[str]) -> Blame:
        if not red:
            return "not seen"
        if not named:
            return "property"
        known = {*self.truth, self.plant.expected}
        # a composite is rightly blamed for a block inside it
        return "right" if all(n in known or any(t.startswith(f"{n}.") for t in self.truth) for n in named) else "wrong"

    def row(self, plant_id: str, fault_id: str, checks: Sequence[CheckName] = CHECKS, progress: Callable[[str], None] = lambda _: None) -> Row:
        """All of them."""
        entries = []
        for check in checks:
            progress(f"{plant_id} {check}")
            entries.append(self.entry(cast(CheckName, check)))
        plant = self.plant
        return Row(
            plant=plant_id, fault=fault_id, patch=plant.patch, backend=plant.backend, format=plant.format, truth=self.truth,
            expected=plant.check, whole=not expected(self.sound, plant), entries=entries,
        )  # fmt: skip
