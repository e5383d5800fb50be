"""One run: stepped, noted, written as it goes, stopped where it explodes, and gone on with where it was killed."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from mpcheck._text import duration
from mpcheck.dynamics.protocols import chunks
from mpcheck.dynamics.protocols.chunks import Arrays, Chunk
from mpcheck.dynamics.protocols.integrators import Integrator, degrees_of_freedom
from mpcheck.dynamics.protocols.protocol import Protocol

HOTTEST, MOST_FORCE = 10.0, 1e3
"""Times the protocol's temperature, and eV/Å: where a run is stopped. Sound dynamics of 33 atoms stays within twice its temperature; a covalent bond
at half its length has some 200 eV/Å."""
SAMPLES = 100
"""Of one file; what a killed run loses at most."""
FINISHED = "finished"
RECENT = 2
"""Steps before a frame that are kept with it: three in a row tell whether positions follow momenta."""


@dataclass(frozen=True)
class Run:
    """What a run came to.

    Attributes:
        series: by name, [samples]: ``step``, ``potential`` and ``kinetic`` and ``conserved`` eV, ``temperature`` K, ``volume`` Å³,
            ``pressure`` eV/Å³ with the ideal gas's part, ``momentum`` and ``angular_momentum`` (ASE units), ``largest_force`` eV/Å.
        frames: ``step`` [frames], ``positions`` Å unwrapped, ``momenta`` ASE units, ``forces`` eV/Å, [frames, atoms, 3]; ``cell`` [frames, 3, 3];
            ``potential`` eV; ``recent_positions``, ``recent_momenta`` [frames, 3, atoms, 3]: of the two steps before and of this one, NaN of the
            first frame.
        ended: ``finished``, or why it was stopped. step: its last one.
        seconds: that steps took; around: all else that was done for them.
    """

    series: Arrays
    frames: Arrays
    ended: str
    step: int
    seconds: float
    around: float

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.ended == FINISHED


def explosion(atoms: Atoms, protocol: Protocol) -> str:
    """Why dynamics can go no further; empty while it can."""
    energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)
    if not (math.isfinite(energy) and np.isfinite(forces).all() and np.isfinite(atoms.positions).all()):
        return "energy, forces or positions are no numbers"
    if (largest := float(np.linalg.norm(forces, axis=1).max())) > MOST_FORCE:
        return f"a force of {largest:.3g} eV/Å"
    kinetic, freedom = float(atoms.get_kinetic_energy()), degrees_of_freedom(atoms, protocol)
    if (hot := 2 * kinetic / (freedom * units.kB)) > HOTTEST * protocol.temperature_K:
        return f"{hot:.3g} K, where the protocol has {protocol.temperature_K:g}"
    return ""


class Runner:
    """Runs a protocol on atoms.

    Args:
        atoms: at the start, with momenta and a calculator that was warmed. seed: of the thermostat's noise.
        folder: of the run's files; about: what it is, by which another run's files are told from its own. say: takes a line of progress.
    """

    def __init__(
        self, atoms: Atoms, protocol: Protocol, seed: int, folder: Path, about: Mapping[str, Any], say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.atoms, self.protocol, self.folder, self.about, self.say = atoms, protocol, folder, dict(about), say
        self.integrator = Integrator(atoms, protocol, seed)
        self.freedom = degrees_of_freedom(atoms, protocol)
        self.seconds, self.step, self.began = 0.0, 0, time.perf_counter()
        self.before = (0.0, 0.0)  # seconds of steps, and around them, of the files that were there
        self.written: list[Chunk] = []
        self.trail: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=RECENT + 1)
        self._begin_file()

    def _begin_file(self) -> None:
        self.samples: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []

    def run(self, steps: int) -> Run:
        """So many steps in all; those that are on disk already are taken from there.

        Raises:
            InputError: files that are damaged, or cannot be written. BaseException: whatever the model raises.
        """
        ended = self._resumed(steps)
        done = self.step
        if not self.written:
            self._note(frame=True)
        while not ended:
            self._advance(min(self._next(), steps))
            ended = explosion(self.atoms, self.protocol) or (FINISHED if self.step >= steps else "")
            if ended or len(self.samples) >= SAMPLES:
                self._write(ended)
            self._tell(steps, done)
        series, frames = (chunks.joined([getattr(c, part) for c in self.written]) for part in ("series", "frames"))
        return Run(series, frames, ended, self.step, self.written[-1].seconds, self.written[-1].around)

    def _resumed(self, steps: int) -> str:
        """Take over what is on disk; how it ended, if it did."""
        found = chunks.read(self.folder) if self.folder.is_dir() else []
        if not found or dict(found[0].about) != self.about:
            for path in sorted(self.folder.glob("chunk-*.safetensors")) if self.folder.is_dir() else []:
                path.unlink()
            return ""
        self.written = found
        self.integrator.restore(found[-1].state)
        self.step = found[-1].step
        if found[-1].ended and not (found[-1].ended == FINISHED and self.step < steps):
            return found[-1].ended
        self.before = (found[-1].seconds, found[-1].around)
        return ""

    def _next(self) -> int:
        """The step at which something is noted next."""
        return min(every * (self.step // every + 1) for every in (self.protocol.sample_every, self.protocol.frame_every))

    def _advance(self, step: int) -> None:
        """To a step, and note what is due there."""
        framed = step % self.protocol.frame_every == 0
        for place in (*(range(max(self.step + 1, step - RECENT), step) if framed else ()), step):
            began = time.perf_counter()
            self.integrator.step(place - self.step)
            self.seconds += time.perf_counter() - began
            self.step = place
            self.trail.append((place, self.atoms.positions.copy(), self.atoms.get_momenta()))
        self._note(framed)

    def _note(self, frame: bool) -> None:
        """A sample of this step where one is due, and a frame."""
        atoms = self.atoms
        forces = atoms.get_forces(apply_constraint=False)
        potential = float(atoms.get_potential_energy())
        if self.step % self.protocol.sample_every == 0:
            kinetic = float(atoms.get_kinetic_energy())
            periodic = bool(atoms.pbc.all())
            momenta = atoms.get_momenta()
            centred = atoms.positions - atoms.get_center_of_mass()
            self.samples.append({
                "step": self.step, "potential": potential, "kinetic": kinetic, "conserved": self.integrator.conserved,
                "temperature": 2 * kinetic / (self.freedom * units.kB), "volume": atoms.get_volume() if periodic else math.nan,
                "pressure": _pressure(atoms, kinetic) if periodic else math.nan, "momentum": float(np.linalg.norm(momenta.sum(axis=0))),
                "angular_momentum": float(np.linalg.norm(np.cross(centred, momenta).sum(axis=0))) if not atoms.pbc.any() else math.nan,
                "largest_force": float(np.linalg.norm(forces, axis=1).max()),
            })  # fmt: skip
        if frame:
            recent = [kept[1:] for kept in self.trail]
            if [kept[0] for kept in self.trail] != [*range(self.step - RECENT, self.step + 1)]:  # of the first frame, or after a restart
                recent = [(np.full_like(atoms.positions, np.nan),) * 2] * (RECENT + 1)
            self.frames.append({
                "step": self.step, "positions": atoms.positions.copy(), "momenta": atoms.get_momenta(), "forces": forces,
                "cell": atoms.cell.array.copy(), "potential": potential, "recent_positions": np.stack([r for r, _ in recent]),
                "recent_momenta": np.stack([p for _, p in recent]),
            })  # fmt: skip

    def _write(self, ended: str) -> None:
        series, frames = _stacked(self.samples), _stacked(self.frames)
        around = max(0.0, time.perf_counter() - self.began - self.seconds)
        if not series and self.written:  # a run that ends between two samples
            series = {name: values[:0] for name, values in self.written[0].series.items()}
        if not frames:
            frames = {name: values[:0] for name, values in (self.written[0].frames if self.written else {}).items()}
        state = self.integrator.state() | {"numbers": self.atoms.numbers.copy(), "pbc": self.atoms.pbc.astype(np.uint8)}
        chunk = Chunk(series, frames, state, self.about, self.step, self.before[0] + self.seconds, self.before[1] + around, ended)
        chunks.write(self.folder, len(self.written), chunk)
        self.written.append(chunk)
        self._begin_file()

    def _tell(self, steps: int, done: int) -> None:
        left = self.seconds / max(1, self.step - done) * (steps - self.step)
        self.say(f"{self.step} of {steps} steps" + (f", about {duration(left)} left" if left >= 1.0 else ""))


def _pressure(atoms: Atoms, kinetic: float) -> float:
    """Of atoms that move, eV/Å³: minus a third of the trace of the stress, and the ideal gas's part. NaN of a model that has no stress."""
    try:
        stress = atoms.get_stress(voigt=True, apply_constraint=False)
    except NotImplementedError:
        return math.nan
    return float(-stress[:3].sum() / 3 + 2 * kinetic / (3 * atoms.get_volume()))


def _stacked(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}
