"""A survey's course: parts are begun, watched, ended at their limits, and kept as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.documents import dumps
from mpcheck._files.io import is_there
from mpcheck._files.stored import now
from mpcheck._names import SURVEY_PART
from mpcheck.records.record import Record
from mpcheck.survey.archive import LOG, members, unpack, write_archive
from mpcheck.survey.found import Ended, records_of_part
from mpcheck.survey.part import Part, Scale
from mpcheck.survey.plan import Busy, next_parts
from mpcheck.survey.process import PartProcess, frames, last_lines
from mpcheck.survey.state import KIND, PartState, SurveyState, key_of

STATE = "state.json"
TICK = 0.2
SAVED = 30.0
"""Seconds after which what runs is archived, too: a survey that is killed from outside leaves the logs of its last part."""
RESERVE = 8.0
MOST_TRIES = 2
"""A part that was begun so often and never ended well comes after those that were not."""


def reserve(seconds: float) -> float:
    """Of a survey's seconds those in which nothing runs any more: for the files."""
    return min(RESERVE, 0.1 * seconds)


@dataclass
class Going:
    """A part that runs.

    Attributes:
        limit: seconds after which it is ended; cut: whether that is the survey's end rather than its own limit.
    """

    part: Part
    process: PartProcess
    limit: float
    cut: bool


@dataclass
class Survey:
    """One survey.

    Attributes:
        archive: its file. work: a directory of its own. seconds: that it may take. cores: of the host.
        code: digest of this mpcheck. variables: of every part's environment.
        begun: names of parts that this run has begun.
        say: takes each line of progress. kept: called when something has ended, with what is known by then.
    """

    scale: Scale
    archive: Path
    work: Path
    seconds: float
    cores: int
    code: str
    state: SurveyState
    variables: Mapping[str, str]
    say: Callable[[str], None]
    kept: Callable[[], None] = lambda: None
    began: float = field(default_factory=time.monotonic)
    going: dict[str, Going] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    saved: float = 0.0

    @property
    def left(self) -> float:
        """Seconds in which parts may run."""
        return self.seconds - reserve(self.seconds) - (time.monotonic() - self.began)

    def waiting(self, parts: Sequence[Part], again: bool = False) -> list[Part]:
        """Those of some parts that must run, in their order; those that failed to end before come last."""
        due = [p for p in parts if again or not self.state.settled(p, key_of(p, self.scale), self.code)]
        return sorted(due, key=lambda part: self.state.tries(part) >= MOST_TRIES)

    def run(self, waiting: list[Part]) -> list[Part]:
        """Run parts until all have ended or the time is up.

        Returns:
            Those that there was no time for.
        """
        try:
            while waiting or self.going:
                busy = [Busy(g.part, max(0.0, g.part.cost_at(self.scale).estimate - g.process.seconds)) for g in self.going.values()]
                for part in next_parts(waiting, busy, self.left, self.cores, self.scale):
                    waiting.remove(part)
                    self._begin(part)
                if not self.going:
                    break
                time.sleep(TICK)
                self._look()
        finally:
            self._end_all()
        return waiting

    def _place(self, part: Part) -> Path:
        return self.work / "parts" / part.name

    def _begin(self, part: Part) -> None:
        place, most = self._place(part), part.cost_at(self.scale).most
        _empty(place)
        out = place / "out"
        out.mkdir(parents=True)
        words = part.words_at(self.scale, str(out))
        module = part.module
        if part.session:
            from mpcheck.sessions.registry import get

            module, words = "mpcheck.cli.main", [get(part.session).command, *words, "--device", self.scale.device, "--out", str(out)]
        limit = min(most, self.left)
        variables = {**self.variables, **part.variables}
        going = Going(part, PartProcess(module, words, place / LOG, out, variables), limit, limit < most)
        self.going[part.name] = going
        self.begun.add(part.name)
        tries = self.state.tries(part) + 1
        self.state.parts[part.name] = PartState(
            name=part.name, key=key_of(part, self.scale), status="running", tries=tries, mpcheck=self.code, began=now()
        )
        self._told(part.name, f"began, about {part.cost_at(self.scale).estimate:.0f} s")

    def _look(self) -> None:
        for name, going in list(self.going.items()):
            process = going.process
            late = process.seconds > going.limit
            if not process.ended and not late:
                continue
            if process.code is None:
                process.end()
                ended = Ended(None, process.seconds, going.limit, tuple(frames(process.log)), tuple(last_lines(process.log)))
            else:
                ended = Ended(process.code, process.seconds, last=tuple(last_lines(process.log)))
            del self.going[name]
            self._keep(going, ended)
        if time.monotonic() - self.saved > SAVED:
            self.save()

    def _keep(self, going: Going, ended: Ended) -> None:
        part, known = going.part, self.state.parts[going.part.name]
        records, whole = records_of_part(part, self._place(part) / "out", ended)
        if ended.code is None and going.cut:
            first = records[0].model_copy(update={"verdict": "inconclusive", "reason": f"the survey's time was up; {records[0].reason}"})
            records = [first, *records[1:]]
        update = {"status": "ended" if whole else "broken", "seconds": round(ended.seconds, 1), "records": records}
        self.state.parts[part.name] = known.model_copy(update=update)
        self._told(part.name, f"{records[0].verdict}, {ended.seconds:.0f} s: {records[0].reason}")
        self.save()
        self.kept()

    def _told(self, name: str, text: str) -> None:
        self.say(f"[{time.monotonic() - self.began:4.0f} s, {max(0.0, self.left):4.0f} s left] {name}: {text}")

    def _end_all(self) -> None:
        for name, going in list(self.going.items()):
            going.process.end()
            first = Record(check=SURVEY_PART, subject=name, key=name, verdict="inconclusive", reason="the survey was interrupted while it ran")
            known = self.state.parts[name]
            self.state.parts[name] = known.model_copy(update={"status": "broken", "records": [first]})
            del self.going[name]
        self.save()

    def save(self) -> None:
        """Put state, logs and results into the archive."""
        files = {path.relative_to(self.work).as_posix(): path for path in self.work.rglob("*") if path.is_file() and not path.is_symlink()}
        gone = [name for name in self.state.left_out if not any(name.startswith(f"parts/{other}/") for other in self.begun)]
        state = {STATE: dumps(self.state.model_dump(), indent=1)}
        left = write_archive(self.archive, files, state, before=gone)
        if left != self.state.left_out:
            self.state.left_out[:] = left
            state = {STATE: dumps(self.state.model_dump(), indent=1)}
            write_archive(self.archive, files, state, before=gone)
        self.saved = time.monotonic()


def _empty(place: Path) -> None:
    import shutil

    shutil.rmtree(place, ignore_errors=True)


def read_state(path: Path) -> SurveyState | None:
    """How far the survey of an archive has come; None where nothing has the name.

    Raises:
        InputError: its archive is damaged or somebody else's.
    """
    if not is_there(path):
        return None
    from mpcheck._files.documents import BrokenError, parse

    text = next((data for name, data in members(path) if name == STATE), None)
    if text is None:
        raise InputError(f"archive {path} holds no survey's state; remove it, or give another --out")
    try:
        data = parse(text.decode("utf-8"))
    except (BrokenError, UnicodeDecodeError) as error:
        raise InputError(f"archive {path}: its state is damaged ({error}); remove it, or give another --out") from error
    return KIND.check(data, f"archive {path}")


def resumed(archive: Path, work: Path, scale: Scale, slug: str) -> SurveyState:
    """The state to go on from, with the files of parts that have ended put back; a new one where there is none.

    Raises:
        InputError: see :func:`read_state`; a survey of another device or size.
    """
    known = read_state(archive)
    if known is None:
        return SurveyState(device=scale.device, slug=slug, size="toy" if scale.toy else "full")
    if (known.slug, known.size) != (slug, scale.size):
        what = f"a survey of {known.slug} at {known.size} size"
        raise InputError(f"archive {archive} holds {what}, this one is of {slug} at {scale.size} size; give another --out")
    ended = [f"parts/{name}/" for name, one in known.parts.items() if one.status != "running"]
    if ended:
        unpack(archive, work, ended)
    return known
