"""The work of the md session: every run, then what they say of physics, of chaos, of equivalence and of speed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._names import MD_DIVERGENCE, MD_EQUIVALENCE, MD_PHYSICS, MD_RUN, MD_SPEED, MD_TRACE, REFERENCE_BACKEND
from mpcheck._torch_state import neutral
from mpcheck.adapters.calculator import WITHOUT_ENERGY, model_type_of
from mpcheck.dynamics.protocols.protocol import Protocol, get_protocol
from mpcheck.formats import F64
from mpcheck.policy.rules import get_policy
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.md import MdOptions
from mpcheck.sessions.md.cluster import send, wait
from mpcheck.sessions.md.divergence import divergence
from mpcheck.sessions.md.equivalence import equivalence
from mpcheck.sessions.md.estimate import estimate
from mpcheck.sessions.md.physics import physics
from mpcheck.sessions.md.ran import ran
from mpcheck.sessions.md.runs import HALVED, TWIN, RunKey, Runs, UnsupportedRunError, token
from mpcheck.sessions.md.speed import speed
from mpcheck.sessions.md.traces import traces
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.room import require_room
from mpcheck.sessions.run import Session

TOGETHER = {MD_PHYSICS: physics, MD_DIVERGENCE: divergence, MD_EQUIVALENCE: equivalence, MD_SPEED: speed, MD_TRACE: traces}
"""What is made of all runs of a policy, by check."""
RUN_WEIGHT, LITTLE = 100.0, 0.01
"""Of a run of a thousand steps, and of what is made of runs once they are there: it comes last."""


@dataclass(frozen=True)
class MdKey:
    """A piece of work: a run, or what is made of all runs of a policy in a protocol."""

    check: str
    system: str
    protocol: str
    policy: str
    backend: str
    run: RunKey | None = None


class MdWork(PlainWork):
    """See :class:`mpcheck.sessions.pieces.Work`."""

    def __init__(self, options: MdOptions) -> None:
        """Raises:
        InputError: bad options, an unknown policy or protocol.
        """
        self.asked = options
        for name in options.policies:
            get_policy(name)
        _apart("policies", (F64, *options.policies))
        _apart("protocols", options.protocols)
        self.protocols = {name: get_protocol(name) for name in options.protocols}
        for name, protocol in self.protocols.items():
            least = 10 * protocol.sample_fs * 1e-3
            if options.length and options.length < least:
                raise InputError(f"--length is {options.length:g} ps; protocol {name} needs {least:g} ps for ten samples")
        self.session = Session(options)
        if not options.systems:
            self.session = Session(replace(options, systems=tuple(self.session.systems)[:1]), self.session.model)
        if (kind := model_type_of(self.session.model.module)) in WITHOUT_ENERGY:
            name = type(self.session.model.module).__name__
            raise InputError(f"model {options.model} is a {name} ({kind}): nothing moves atoms in it, for it has no energy; give another model")
        self._temporary = None if options.runs is not None else tempfile.TemporaryDirectory(prefix="mpcheck-md-")
        folder = options.runs if self._temporary is None else Path(self._temporary.name)
        assert folder is not None
        self.mark = "" if options.resume else token()
        several = len(self.session.systems) > 1
        self.runs = {
            name: Runs(self.session, name, folder / f"system-{place}" if several else folder, self.mark, options.length, options.long)
            for place, name in enumerate(self.session.systems)
        }
        self._outlook = ""
        self._jobs: dict[tuple[str, RunKey], Any] = {}

    @property
    def policies(self) -> list[str]:
        """float64 first."""
        return list(dict.fromkeys((F64, *self.asked.policies)))

    @property
    def arms(self) -> list[tuple[str, str]]:
        """Policy and backend: float64 on e3nn, which all others are compared with, first."""
        named = [(policy, backend) for backend in self.session.backend_names for policy in self.policies]
        return list(dict.fromkeys([(F64, REFERENCE_BACKEND), *named]))

    def pieces(self) -> Sequence[Piece]:
        """Runs of all starts of a policy one after the other, so that no process waits for another's equilibration."""
        require_room(self.session)
        self._outlook = estimate(next(iter(self.runs.values())), self.protocols, self.arms, self.asked.seeds)
        pieces: list[Piece] = []
        for system in self.session.systems:
            for name, protocol in self.protocols.items():
                for policy, backend in self.arms:
                    pieces += [self._run_piece(system, protocol, RunKey(name, policy, backend, seed)) for seed in range(self.asked.seeds)]
                if protocol.ensemble == "nve":
                    pieces += [self._run_piece(system, protocol, RunKey(name, F64, REFERENCE_BACKEND, 0, kind)) for kind in (TWIN, HALVED)]
            pieces += self._together(system)
        if self.asked.cluster and os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
            keys = [(piece.key.system, piece.key.run) for piece in pieces if piece.key.run is not None]
            self._jobs = send(self.asked, keys, {name: runs.folder for name, runs in self.runs.items()}, self.mark)
        return pieces

    def _run_piece(self, system: str, protocol: Protocol, run: RunKey) -> Piece:
        seed = f"{Path(run.protocol).stem}-{run.seed}" + (f"-{run.kind}" if run.kind else "")
        weight = RUN_WEIGHT * self.runs[system].steps(protocol) / 1000
        return self._piece(MdKey(MD_RUN, system, run.protocol, run.policy, run.backend, run), seed, weight)

    def _together(self, system: str) -> list[Piece]:
        pieces = []
        for check in TOGETHER:
            if check in (MD_EQUIVALENCE, MD_DIVERGENCE) and len(self.arms) < 2:
                continue  # nothing is compared with float64
            for name, protocol in self.protocols.items():
                if (check == MD_DIVERGENCE and protocol.ensemble != "nve") or (check == MD_SPEED and name != next(iter(self.protocols))):
                    continue
                for policy, backend in self.arms if check == MD_PHYSICS else self.arms[:1]:
                    pieces.append(self._piece(MdKey(check, system, name, policy, backend), Path(name).stem, LITTLE))
        return pieces

    def _piece(self, key: MdKey, variant: str, weight: float) -> Piece:
        about = Planned(
            key="", check=key.check, subject=Path(key.policy).stem, backend=key.backend, system=key.system, variant=variant
        )  # fmt: skip
        planned = about.model_copy(update={"key": about.name})
        return Piece(planned, about.name, about.name if key.run is not None else f"{key.check}/{key.system}", key, weight)

    def outlook(self) -> str:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return self._outlook

    def narrowed(self) -> dict[str, list[str]]:
        """See :class:`mpcheck.sessions.pieces.Work`; a user's choice of policies and protocols is what the session is about."""
        return {}

    @neutral()
    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        return self.attempted(piece.planned, lambda: self._records(piece))

    def _records(self, piece: Piece) -> list[Record]:
        key: MdKey = piece.key
        runs = self.runs[key.system]
        try:
            if (found := self._jobs.get((key.system, key.run))) is not None:  # type: ignore[arg-type]  # None has none
                wait(found)
            if key.run is not None:
                return ran(runs, key.run, piece.planned)
            make: Callable[..., list[Record]] = TOGETHER[key.check]
            return make(self, runs, key, piece.planned)
        except UnsupportedRunError as error:
            return [Record(**piece.planned.about, verdict="unsupported", reason=error.why.text, lacking=error.why.lacking)]

    def notes(self) -> Sequence[str]:
        """Which structure is run, and where the trajectories lie."""
        several = [f"{name}: the first of {len(s.frames)} structures is run" for name, s in self.session.systems.items() if len(s.frames) > 1]
        return several if self._temporary is not None else [*several, f"trajectories: {self.asked.runs}"]

    def keys(self, protocol: str, policy: str, backend: str) -> list[RunKey]:
        """Runs of all seeds."""
        return [RunKey(protocol, policy, backend, seed) for seed in range(self.asked.seeds)]


def _apart(what: str, names: Sequence[str]) -> None:
    """Refuse names that records and directories would not tell apart.

    Raises:
        InputError: two files of one name in different directories, or one of a built-in's.
    """
    seen: dict[str, str] = {}
    for name in dict.fromkeys(names):
        other = seen.setdefault(Path(name).stem, name)
        if other != name:
            raise InputError(f"{what} {other} and {name} are both called {Path(name).stem}; give one of them another file name")
