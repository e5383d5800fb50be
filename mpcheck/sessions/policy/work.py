"""The work of the policy session: every policy on every system and backend, their speed, the error budget, and the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mpcheck._names import DEFAULT_BACKENDS, POLICY, POLICY_BUDGET, POLICY_SEARCH, POLICY_SIZE, POLICY_SPEED, REFERENCE_BACKEND
from mpcheck._torch_state import neutral
from mpcheck.judge.known_faults import apply_known_faults, class_names, known_checks
from mpcheck.policy.accuracy import parse_budget
from mpcheck.policy.rules import Policy, builtin, get_policy
from mpcheck.policy.speed.supercells import SYSTEM
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.pieces import Piece, PlainWork
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.found import found_file
from mpcheck.sessions.policy.judged import judged
from mpcheck.sessions.policy.study import Study
from mpcheck.sessions.room import require_room
from mpcheck.sessions.run import Session, parse_device

MODEL = "model"


class PolicyWork(PlainWork):
    """See :class:`mpcheck.sessions.pieces.Work`.

    Attributes:
        usual: whether backends are those that the session takes by itself.
    """

    usual = False

    def __init__(self, options: PolicyOptions) -> None:
        """Raises:
        InputError: bad options, an unknown policy, or a policy file of another schema.
        """
        if not options.backends:
            device = parse_device(options.device).type
            options = replace(options, backends=(REFERENCE_BACKEND,) if device == "cpu" else DEFAULT_BACKENDS)
            self.usual = True
        self.asked = options
        self.policies: dict[str, Policy] = {name: get_policy(name) for name in options.policies} or builtin()
        self.budget = parse_budget(options.budget)
        self.session = Session(options)
        if not options.systems:  # a user's question is about one structure; every built-in one would take minutes each
            self.session = Session(replace(options, systems=tuple(self.session.systems)[:1]), self.session.model)
        if self.asked.sweep:
            from mpcheck.sessions.policy import sweeping

            sweeping.possible(self.session)
        self.studies = {system: Study(self.session, system) for system in self.session.systems}
        self.written: dict[str, str] = {}

    def pieces(self) -> Sequence[Piece]:
        """Errors of all policies, backend by backend, then their speed, then what is made of both."""
        require_room(self.session)
        pieces = []
        for system in self.session.systems:
            for backend in self.session.backend_names:
                pieces += [self._piece(POLICY, name, backend, system) for name in self.policies]
            if self.asked.launches:
                pieces.append(self._piece(POLICY_SPEED, MODEL, "", system))
            pieces.append(self._piece(POLICY_BUDGET, MODEL, REFERENCE_BACKEND, system))
            if self.asked.search:
                pieces += [self._piece(POLICY_SEARCH, MODEL, backend, system) for backend in self.session.backend_names]
        if self.asked.sweep:
            pieces.append(self._piece(POLICY_SIZE, MODEL, "", f"{SYSTEM}:{self.asked.sweep}"))
        return pieces

    def _piece(self, check: str, subject: str, backend: str, system: str) -> Piece:
        planned = Planned(key=f"{check}:{system}/{subject}-{backend}", check=check, subject=subject, backend=backend, system=system)
        return Piece(planned, planned.key, f"policy/{system}", planned)

    def narrowed(self) -> dict[str, list[str]]:
        """Policies that were not asked for, besides what every session tells; formats are the policies' own."""
        left = [name for name in builtin() if name not in self.policies] if self.asked.policies else []
        untold = ("formats", "blocks", *(["backends"] if self.usual else []))
        told = {kind: names for kind, names in super().narrowed().items() if kind not in untold}
        return told | ({"policies": left} if left else {})

    @neutral()
    def records(self, piece: Piece) -> list[Record]:
        """See :class:`mpcheck.sessions.pieces.Work`."""
        planned = piece.planned
        found = self.attempted(planned, lambda: self._records(planned))
        return apply_known_faults(found, class_names(self.session.model.module)) if planned.check in known_checks() else found

    def _records(self, planned: Planned) -> list[Record]:
        from mpcheck.sessions.policy import agreeing, searching, speed, spending, sweeping

        if planned.check == POLICY_SIZE:
            return sweeping.records(self.session, self.asked, list(self.policies), planned)
        study = self.studies[planned.system]
        if planned.check == POLICY:
            return judged(study, self.policies[planned.subject], planned)
        if planned.check == POLICY_SPEED:
            timed = speed.records(study, self.asked, list(self.policies), planned)
            return [*timed, *agreeing.records(study, self.policies, self.asked.variants, planned)]
        if planned.check == POLICY_BUDGET:
            return spending.records(study, list(self.policies.values()), self.budget, planned)
        found, text = searching.records(study, self.asked, self.policies, self.budget, planned)
        if text:
            self.written[found_file(planned.backend, planned.system, [*self.session.systems])] = text
        return found

    def write_beside(self, out: Path) -> None:
        """The policies that were found, as files that other commands take."""
        from mpcheck._files.io import write_text

        for name, text in self.written.items():
            write_text(out / name, text)
