"""Runs of one system: each is made once, by whichever process asks for it first, and read by all others."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._files.locks import locked
from mpcheck._names import REFERENCE_BACKEND, RUN_VARIABLE
from mpcheck._packages import versions
from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.dynamics.protocols.forces import forces_of, warmed
from mpcheck.dynamics.protocols.protocol import Protocol, get_protocol
from mpcheck.dynamics.protocols.running import Run, Runner
from mpcheck.dynamics.protocols.start import Start, StartError, equilibrated, kept, relaxed
from mpcheck.formats import F64, FORMATS
from mpcheck.policy.rules import get_policy
from mpcheck.policy.running.applied import PolicyModel, apply
from mpcheck.records.record import Record
from mpcheck.reference.code import code_of
from mpcheck.sessions.run import Session

TWIN = "twin"
"""A run of float64 from a start that was moved by :data:`MOVED`, from which the Lyapunov exponent is read."""
HALVED = "halved"
"""A run of float64 at half the time step."""
MOVED = 1e-10
"""Å."""
DAYS = 30 * 86_400.0
"""Seconds that a process waits for another's run: long ones take days."""


@dataclass(frozen=True)
class RunKey:
    """Which run. ``kind``: empty, ``twin`` or ``halved``."""

    protocol: str
    policy: str
    backend: str
    seed: int
    kind: str = ""

    @property
    def name(self) -> str:
        """Of its directory."""
        words = [Path(self.protocol).stem, Path(self.policy).stem, self.backend, str(self.seed), self.kind]
        return "-".join(filter(None, words))


class UnsupportedRunError(Exception):
    """A policy or protocol that cannot be run here.

    Attributes:
        why: the reason.
    """

    def __init__(self, why: Unsupported) -> None:
        super().__init__(why.text)
        self.why = why


def refused(about: Mapping[str, Any], made: Raised) -> Record:
    """The record of a policy of which there is no run: unsupported where it cannot be had, red where the judged code raised."""
    if isinstance(made.error, UnsupportedRunError):
        return Record(**about, verdict="unsupported", reason=made.error.why.text, lacking=made.error.why.lacking)
    return Record(**about, verdict="fail", reason=f"raised {made.text}")


def token() -> str:
    """By which one session's runs are told from another's: workers of pytest-xdist have theirs in common."""
    return os.environ.get(RUN_VARIABLE) or secrets.token_hex(8)


class Runs:
    """All runs of one system.

    Args:
        folder: of trajectories. session_token: see :func:`token`; empty where runs of earlier sessions are taken.
        length: ps of each run; 0 for the protocols' own; long: their long ones.
    """

    def __init__(self, session: Session, system: str, folder: Path, session_token: str, length: float = 0.0, long: bool = False) -> None:
        self.session, self.system, self.folder, self.token = session, system, folder, session_token
        self.length, self.long = length, long
        self.template: Atoms = session.systems[system].frames[0]
        self._models: dict[tuple[str, str], PolicyModel] = {}
        self._calculators: dict[tuple[str, str], Any] = {}

    def steps(self, protocol: Protocol) -> int:
        """Of a run that is measured."""
        return protocol.steps_of(self.length or (protocol.long_ps if self.long else protocol.length_ps))

    def model(self, policy: str, backend: str) -> PolicyModel:
        """A backend's model with a policy.

        Raises:
            UnsupportedRunError: it cannot be had. BaseException: whatever the judged code raises.
        """
        key = policy, backend
        if key not in self._models:
            built: Any = self.session.backend(backend)
            if isinstance(built, Unsupported):
                raise UnsupportedRunError(built)
            try:
                if why := unsupported(built, WHOLE, FORMATS[get_policy(policy).base]):
                    raise UnsupportedRunError(why)
                self._models[key] = apply(built.model, get_policy(policy), self.session.device, self.session.model.module)
            except InputError as error:
                raise UnsupportedRunError(Unsupported("not-applicable", f"refused: {error}")) from error
        return self._models[key]

    def calculator(self, policy: str, backend: str) -> Any:
        """MACE's calculator around it. Raises as :meth:`model`."""
        key = policy, backend
        if key not in self._calculators:
            self._calculators[key] = forces_of(self.model(*key), self.session.device, self.template)
        return self._calculators[key]

    def about(self, protocol: Protocol, policy: str = F64, backend: str = REFERENCE_BACKEND) -> dict[str, Any]:
        """All that a run depends on besides its seed, as JSON has it."""
        session = self.session
        return {
            "model": session.model.digest, "system": session.systems[self.system].digest, "code": code_of(session.model.module).digest,
            "policy": get_policy(policy).model_dump(mode="json"), "protocol": protocol.model_dump(mode="json"), "backend": backend,
            "device": str(session.device), "packages": {**versions(), "ase": ase.__version__}, "session": self.token,
        }  # fmt: skip

    @cached_property
    def _relaxed(self) -> Atoms:
        atoms = self.template.copy()
        atoms.calc = self.calculator(F64, REFERENCE_BACKEND)
        return relaxed(atoms, self._say)

    def start(self, protocol: Protocol, seed: int) -> Start:
        """Where runs of a seed start.

        Raises:
            UnsupportedRunError: equilibration explodes.
        """
        wanted = {"temperature_K", "equilibration_ps", "timestep_fs"}
        about = {**self.about(protocol), "protocol": protocol.model_dump(mode="json", include=wanted), "seed": seed}
        name = "start-" + hashlib.sha256(repr(sorted(about.items())).encode()).hexdigest()[:8] + f"-{seed}"

        def make() -> Start:
            return equilibrated(self._relaxed, protocol, seed, self._say)

        try:
            return kept(self.folder, name, self.template, about, make)
        except StartError as error:  # no policy has run, and none is to blame
            raise UnsupportedRunError(Unsupported("not-applicable", str(error))) from error

    def run(self, key: RunKey) -> Run:
        """A run, from its directory or made now.

        Raises:
            UnsupportedRunError: it cannot be made here. InputError: its start explodes, or its files are damaged.
            BaseException: whatever the judged code raises.
        """
        protocol = get_protocol(key.protocol)
        self.possible(protocol)
        calculator = self.calculator(key.policy, key.backend)
        start = self.start(protocol, key.seed)
        protocol, steps = self._varied(protocol, key.kind)
        atoms = start.atoms.copy()
        if key.kind == TWIN:
            atoms.positions += MOVED * np.random.Generator(np.random.PCG64([key.seed, 2])).choice([-1.0, 1.0], atoms.positions.shape)
        about = {**self.about(protocol, key.policy, key.backend), **{k: v for k, v in asdict(key).items() if k in ("seed", "kind")}}
        place = self.folder / key.name
        place.mkdir(parents=True, exist_ok=True)
        with locked(place / ".lock", f"run {key.name}", DAYS):
            atoms.calc = calculator
            warmed(atoms)
            return Runner(atoms, protocol, seed=1 + key.seed, folder=place, about=about, say=lambda text: self._say(f"{key.name}: {text}")).run(steps)

    def _varied(self, protocol: Protocol, kind: str) -> tuple[Protocol, int]:
        """A protocol and how many steps of it, where a run is of a kind of its own."""
        steps = self.steps(protocol)
        if kind == HALVED:
            return protocol.model_copy(update={"timestep_fs": protocol.timestep_fs / 2, "title": "half the time step"}), steps
        return protocol, steps

    def possible(self, protocol: Protocol) -> None:
        """Refuse what this structure cannot do.

        Raises:
            UnsupportedRunError: no volume to change.
        """
        if protocol.ensemble == "npt" and not self.template.pbc.all():
            raise UnsupportedRunError(Unsupported("not-applicable", "the structure is not periodic in three directions: it has no volume to change"))

    def _say(self, text: str) -> None:
        self.session.options.progress(f"{self.system}: {text}")
