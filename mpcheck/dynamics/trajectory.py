"""What a simulation leaves behind: frames with positions and momenta, and a denser series of scalars. Plain numpy, float64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def _as(owner: object, name: str, shape: tuple[int, ...], type_: type = np.float64, may_lack: bool = False) -> None:
    """Make a field an array of its own type and shape.

    Raises:
        ValueError: another shape; NaN or infinite, unless the field may lack values, which are then NaN.
    """
    given = np.asarray(getattr(owner, name))
    array: npt.NDArray[Any] = given.astype(type_, copy=False)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {list(array.shape)} instead of {list(shape)}")
    if given.dtype.kind == "f" and not bool(np.isfinite(given[~np.isnan(given)] if may_lack else given).all()):
        raise ValueError(f"{name} is not finite everywhere")
    object.__setattr__(owner, name, array)


def _in_order(time: Floats) -> None:
    if len(time) == 0:
        raise ValueError("time is empty: there is nothing to look at")
    if bool((np.diff(time) <= 0).any()):
        raise ValueError("time does not grow from each sample to the next")


@dataclass(frozen=True, eq=False)
class Series:
    """Scalars of a simulation, sampled more often than its frames.

    Attributes:
        time: [samples] ps, growing.
        potential_energy, kinetic_energy: [samples] eV, of the whole system.
        temperature: [samples] K.
        volume: [samples] Å³; pressure: [samples] GPa, with its kinetic part. NaN where there is no cell or no stress.
        momentum, angular_momentum: [samples] norms, in amu·Å per ASE's unit of time and that times Å; NaN where not followed.
        largest_force: [samples] eV/Å.

    Raises:
        ValueError: shapes that do not fit, time that does not grow, values that are not finite.
    """

    time: Floats
    potential_energy: Floats
    kinetic_energy: Floats
    temperature: Floats
    volume: Floats
    pressure: Floats
    momentum: Floats
    angular_momentum: Floats
    largest_force: Floats

    def __post_init__(self) -> None:
        samples = np.asarray(self.time).shape[:1]
        for name in self.names():
            _as(self, name, samples, may_lack=name in ("volume", "pressure", "momentum", "angular_momentum"))
        _in_order(self.time)

    @classmethod
    def names(cls) -> list[str]:
        """Of its fields, time first."""
        return [one.name for one in fields(cls)]

    @property
    def total_energy(self) -> Floats:
        """[samples] eV."""
        return self.potential_energy + self.kinetic_energy

    def after(self, time_ps: float) -> Series:
        """What was sampled at a time or later: what remains when an equilibration is left out.

        Raises:
            ValueError: nothing was.
        """
        kept = self.time >= time_ps
        return Series(**{name: getattr(self, name)[kept] for name in self.names()})


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Frames of a simulation.

    Attributes:
        numbers: [atoms] of the elements. masses: [atoms] amu.
        time: [frames] ps, growing.
        positions: [frames, atoms, 3] Å, unwrapped, as they were integrated.
        momenta: [frames, atoms, 3] in ASE's units: amu·Å per Å·√(amu/eV).
        cell: [frames, 3, 3] Å, rows are vectors; zero where there is none. pbc: [3].
        energy: [frames] eV, potential. largest_force: [frames] eV/Å.
        stress: [frames, 6] eV/Å³ in Voigt's order, without its kinetic part, tension positive as ASE has it; NaN where not computed.
        timestep_fs: of the integrator.
        series: scalars sampled more often than the frames; None where there are none.

    Raises:
        ValueError: shapes that do not fit, time that does not grow, values that are not finite, a mass or a timestep that is not positive.
    """

    numbers: Integers
    masses: Floats
    time: Floats
    positions: Floats
    momenta: Floats
    cell: Floats
    pbc: Booleans
    energy: Floats
    largest_force: Floats
    stress: Floats
    timestep_fs: float
    series: Series | None = None

    def __post_init__(self) -> None:
        frames, atoms = len(np.atleast_1d(self.time)), len(np.atleast_1d(self.numbers))
        shapes: Mapping[str, tuple[int, ...]] = {
            "masses": (atoms,), "time": (frames,), "positions": (frames, atoms, 3), "momenta": (frames, atoms, 3), "cell": (frames, 3, 3),
            "energy": (frames,), "largest_force": (frames,),
        }  # fmt: skip
        _as(self, "numbers", (atoms,), np.int64)
        _as(self, "pbc", (3,), np.bool_)
        for name, shape in shapes.items():
            _as(self, name, shape)
        _as(self, "stress", (frames, 6), may_lack=True)
        _in_order(self.time)
        if atoms == 0 or not bool((self.masses > 0).all()):
            raise ValueError("there must be atoms, and every mass must be positive")
        if not np.isfinite(self.timestep_fs) or self.timestep_fs <= 0:
            raise ValueError(f"timestep_fs is {self.timestep_fs}; it must be positive")
        if bool(self.pbc.all()) and not bool((np.abs(np.linalg.det(self.cell)) > 0).all()):
            raise ValueError("cell has no volume although all directions are periodic")

    @property
    def frames(self) -> int:
        """How many."""
        return len(self.time)

    @property
    def atoms(self) -> int:
        """How many."""
        return len(self.masses)

    @property
    def velocities(self) -> Floats:
        """[frames, atoms, 3] Å per ASE's unit of time."""
        return self.momenta / self.masses[:, None]

    @property
    def periodic(self) -> bool:
        """In all three directions, so that there is a volume."""
        return bool(self.pbc.all())

    def after(self, time_ps: float) -> Trajectory:
        """Frames and samples at a time or later.

        Raises:
            ValueError: there are none.
        """
        kept = self.time >= time_ps
        by_frame = ("time", "positions", "momenta", "cell", "energy", "largest_force", "stress")
        cut = {name: getattr(self, name)[kept] for name in by_frame}
        rest = {name: getattr(self, name) for name in ("numbers", "masses", "pbc", "timestep_fs")}
        return Trajectory(**cut, **rest, series=None if self.series is None else self.series.after(time_ps))
