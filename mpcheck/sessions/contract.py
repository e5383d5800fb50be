"""What a session is: declared once, in the ``__init__`` of its folder; everything else that knows of sessions reads it from here.

References of the form ``module:name`` are imported when they are used, so that a command that runs another session, or only reads
records, imports nothing of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mpcheck._files.kinds import MARKDOWN, XML, records_of
from mpcheck._files.outputs import Output
from mpcheck.sessions.options import Declared, InspectedOptions, Options, declared, resolve, values_of
from mpcheck.sessions.typed import known_names, refuse_missing


@dataclass(frozen=True)
class SessionSpec:
    """One session.

    Attributes:
        name: in records, files and settings. command: of the command line, if it is another. title: what it does, for ``--help``.
        order: of sessions that are shown together.
        options: dataclass of what it takes; without: fields of it that it does not take.
        start: ``module:function`` that runs it from a command, ``(spec, options by name, out, workers, verbose) -> exit status``.
        work: ``module:class`` of its work under pytest, see :class:`mpcheck.sessions.pieces.Work`; empty of one that no suite runs.
        folder: of its suite below ``tests/`` in a checkout.
        checks: names of the checks whose records it writes.
        block_checks: those of them whose subject is a block that ``--block`` takes; model_block: whether it takes ``model``, too.
        columns: of its table, before those of formats or work; of a session without a showing of its own they are fields of a record.
        compared: how two runs' records are compared: ratios, that are better or worse, findings, that are the same or not, latencies, or
            nothing. scale: what a ratio of 1 stands for.
        judges: False where it measures and judges nothing, so that it is never green.
        parallel: whether it may run in several processes; processes: in how many it does on a CPU where nobody says how many.
        one_thread: whether its suite gets one OpenMP thread, where nothing else is said: on small structures threads spin against each other, and
            against those of the processes that it starts.
        gated: whether a gate runs it where its settings name no session. gateable: whether a gate may run it at all.
        sides: whose code a gate runs it with: both, or head's alone because it measures base itself or judges nothing.
        against: the option by which it measures base beside head; empty where it has none.
        own_settings: fields of its options that a gate has a setting of its own for, ``[gate.NAME]``.
        extra: files that it writes beside its records: name or glob, and kind (:mod:`mpcheck._files.kinds`).
        pytest_words: further words for pytest; ``{out}`` stands for the directory.
        shown: ``module:name`` of how its records are told, a :class:`mpcheck.report.showing.Showing`.
    """

    name: str
    title: str
    order: int
    command: str = ""
    options: type[Any] = Options
    without: tuple[str, ...] = ()
    start: str = "mpcheck.sessions.launch:start"
    work: str = ""
    folder: str = ""
    checks: tuple[str, ...] = ()
    block_checks: tuple[str, ...] = ()
    model_block: bool = False
    columns: tuple[str, ...] = ("subject", "backend")
    compared: Literal["ratios", "findings", "latencies", "nothing"] = "findings"
    scale: str = "what is allowed"
    judges: bool = True
    parallel: bool = True
    processes: int = 0
    one_thread: bool = False
    gated: bool = False
    gateable: bool = True
    sides: Literal["both", "head"] = "both"
    against: str = ""
    own_settings: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    pytest_words: tuple[str, ...] = ()
    shown: str = "mpcheck.report.findings:SHOWING"

    def __post_init__(self) -> None:
        if not self.command:
            object.__setattr__(self, "command", self.name)

    @property
    def declared(self) -> dict[str, Declared]:
        """The options that it takes, by field."""
        return {name: one for name, one in declared(self.options).items() if name not in self.without}

    def takes(self, field: str) -> bool:
        """Whether it takes an option."""
        return field in self.declared

    def outputs(self, out: Path, option: str = "--out") -> list[Output]:
        """What it writes into its directory, as far as there is a file of the name already or it is always written."""
        named = [(f"{self.name}.json", records_of(self.name)), (f"{self.name}.md", MARKDOWN), *([(f"{self.name}.xml", XML)] if self.work else [])]
        outputs = [Output(out / name, kind, option) for name, kind in named]
        for pattern, kind in self.extra:
            places = sorted(out.glob(pattern)) if "*" in pattern else [out / pattern]
            outputs += [Output(path, kind, option) for path in places]
        return outputs

    def refuse(self, given: Mapping[str, Any]) -> None:
        """Refuse what a command line gave where it cannot be right, before anything heavy is imported.

        Raises:
            InputError: no value of the option's, an unknown name, a file that is not there.
        """
        values = values_of(self.options, given)
        refuse_missing(values)
        known_names("check", values.get("checks", ()), self.checks, f" of the {self.name} session")

    def begin(self, *arguments: Any) -> int:
        """Run it; see ``start``."""
        return int(resolve(self.start)(self, *arguments))


@dataclass(frozen=True)
class InspectedSpec(SessionSpec):
    """A session of several checks, of which a user may choose."""

    options: type[Any] = InspectedOptions
    without: tuple[str, ...] = ("tolerances",)
