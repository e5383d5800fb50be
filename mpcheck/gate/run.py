"""A gate from what is asked to an outcome. Base is made, run and put out of reach before anything of head is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._errors import InputError
from mpcheck._files.io import is_file, read_bytes
from mpcheck.gate.asked import Asked, Decided, decide
from mpcheck.gate.environments import Side
from mpcheck.gate.files import Files, collect
from mpcheck.gate.judges import of_judges, of_records
from mpcheck.gate.outcome import Outcome, Place
from mpcheck.gate.output import emptied, read, write
from mpcheck.gate.references import DIRECTORY, kept, lent
from mpcheck.gate.seal import Kept, Seal, own_code
from mpcheck.gate.sessions import Crash, run_sessions
from mpcheck.gate.settings import GateSettings
from mpcheck.gate.sides import Sides, make, planned, probe
from mpcheck.gate.trees import trees
from mpcheck.history.objections import Objection, cut

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison
    from mpcheck.history.gates import GateEntry
    from mpcheck.records.read import Results

Say = Callable[[str], None]


@dataclass
class _Gate:
    """One gate under way."""

    sides: Sides
    decided: Decided
    files: Files
    out: Path
    cache: Path
    say: Say

    @property
    def settings(self) -> GateSettings:
        """By which both sides are judged."""
        return self.decided.settings

    def run(self, side: Side, settings: GateSettings) -> list[Crash]:
        """Make a side and run its sessions.

        Args:
            settings: by whose commands it is installed.
        """
        make(self.sides, side, settings.commands, self.settings.timeout, self.out, self.say)
        return run_sessions(self.sides, side, self.settings, self.out, self.cache, self.say)


def gate(root: Path, what: Asked, own: GateSettings, out: Path, cache: Path, say: Say) -> Outcome:
    """Run a gate and write its records and reports to ``out``.

    Args:
        root: of the repository. own: head's settings, with what the workflow gives. cache: of references. say: takes lines of progress.

    Raises:
        InputError: bad input of any kind; nothing of an earlier gate is lost unless a new one can begin.
    """
    with trees(root, own.base) as (base, head):
        decided = decide(what, base, head, own)
        settings, notes = decided.settings, [*decided.notes]
        judged = base
        if base is not None and (base.top / ".gitmodules").is_file():
            notes.append("base has no submodules: git checks them out from elsewhere; what needs them fails to install there")
        if base is not None and not settings.commands and not (base.packages or head.packages):
            notes.append(f"base {base.commit} is left out: with no Python package in the repository and no `install`, it would run the same code")
            judged = None
            decided = replace(decided, settings=settings.model_copy(update={"model": own.model}))
        with planned(judged, head) as sides:
            files = collect(base, head, decided.settings, judged is None, sides.temporary / "files")
            sides.files = files.directory
            emptied(out)
            for line in (*notes, *files.notes, *(o.text(what.allow) for o in (*decided.objections, *files.objections))):
                say(line)
            work = sides.temporary / "references" if judged is not None else cache
            outcome = _judged(_Gate(sides, decided, files, out, work, say), cache, what.allow)
            outcome.notes[:0] = [*notes, *files.notes]
            write(outcome, out, _history((base or head).root, settings, outcome.results), say)
    return outcome


def _judged(run: _Gate, cache: Path, allow: frozenset[str]) -> Outcome:
    """Both sides' records, and everything that speaks against them."""
    _load_what_judges()
    sides, base = run.sides, run.sides.base
    crashes: list[Crash] = []
    before: Results | None = None
    records = Kept(run.out / "base", {})
    places = {**own_code(), "files that decide": run.files.directory}
    if base is not None:
        crashes += _base(run, base, cache)
        before, records = read(run.out / "base"), Kept.of(run.out / "base")
        places |= {"environment of base": base.home, "files of base": base.tree.top, "references of base": run.cache}
    seal = Seal.of(places, frozenset({"files that decide"}))
    crashes += run.run(sides.head, run.decided.install)
    for line in sides.lines:
        run.say(line)
    results = read(run.out / "head")
    outcome = Outcome(base.tree.commit if base is not None else "", sides.head.tree.commit, results, before, crashes=crashes, notes=[*sides.lines],
                      only_new=run.settings.only_new, allow=allow)  # fmt: skip
    if outcome.failures:
        outcome.places.update(_places(sides, run.settings.model))
    if results is not None and before is not None:
        outcome.comparison = _compared(before, results, outcome)
    outcome.objections += [*run.decided.objections, *run.files.objections, *of_judges(before, results), *of_records(before, results)]
    outcome.objections += [*seal.objections(), *records.restored()]
    return outcome


def _base(run: _Gate, base: Side, cache: Path) -> list[Crash]:
    """Base's sessions, with the references that an earlier gate kept of the same code; what it made is kept for the next one."""
    make(run.sides, base, run.settings.commands, run.settings.timeout, run.out, run.say)
    if not run.sides.usable("base"):
        return run_sessions(run.sides, base, run.settings, run.out, run.cache, run.say)
    own, key = run.cache, run.sides.sources_key("base")
    lent(cache, own, key)
    run.cache = own / DIRECTORY / key  # head, too, is judged by what lies there
    crashes = run_sessions(run.sides, base, run.settings, run.out, run.cache, run.say)
    kept(cache, own, key)
    return crashes


def _load_what_judges() -> None:
    """Import now what is needed at the end: what is in memory, nothing that head's code does to files reaches."""


def _places(sides: Sides, model: str) -> dict[str, Place]:
    """Classes of the model's submodules whose files are in the repository, with their lines there."""
    classes, _ = probe(sides.head, {"model": model}, sides.directory, sides.temporary)
    places = {}
    for name, facts in classes.items():
        file = _in_repository(Path(facts["file"]), sides.head)
        if file is not None:
            places[name] = Place(str(facts["class"]), file, int(facts["line"]))
    return places


def _in_repository(file: Path, side: Side) -> str | None:
    """A file's name below the repository's top; of an installed copy, that of the file it was copied from."""
    top = side.tree.top.resolve()
    if file.resolve().is_relative_to(top):
        return file.resolve().relative_to(top).as_posix()
    if file.is_relative_to(side.packages):
        for place in (side.tree.source, side.tree.root):
            copied_from = place / file.relative_to(side.packages)
            if is_file(copied_from) and read_bytes(copied_from, "source") == read_bytes(file, "source"):
                return copied_from.resolve().relative_to(top).as_posix()
    return None


def _compared(before: Results, results: Results, outcome: Outcome) -> Comparison | None:
    from mpcheck.history.compare import compare

    try:
        return replace(compare(before, results), base=f"base {outcome.base}", head=f"head {outcome.head}".strip())  # not names of files
    except InputError as error:  # both were given the same model and structures, so that head's code makes something else of them
        outcome.objections.append(Objection(kind="comparison", what=cut(error), effect="contradicts"))
        return None


def _history(root: Path, settings: GateSettings, results: Results | None) -> Sequence[GateEntry]:
    if not settings.history or results is None:
        return ()
    from mpcheck.history.gates import gate_history_path, read_gate_history

    slug = str(results.first.environment.device_slug)
    path = gate_history_path(root / settings.history, slug)
    return tuple(read_gate_history(path).entries)
