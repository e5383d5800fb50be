"""A protocol: which ensemble, which integrator with which constants, how long, how often something is noted, and what difference matters."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck._text import near

Ensemble = Literal["nve", "langevin", "npt"]
Observable = Literal[
    "temperature_K", "potential_meV_per_atom", "pressure_GPa", "density_g_per_cm3", "drift_meV_per_atom_ps", "largest_force_eV_per_A",
    "msd_A2", "neighbours",
]  # fmt: skip
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Margin(Strict):
    """How far an observable may lie from float64's and still be called equal; one of the two.

    Attributes:
        absolute: in the observable's unit. relative: to float64's mean.
    """

    absolute: Positive | None = None
    relative: Positive | None = None

    @model_validator(mode="after")
    def _one(self) -> Margin:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("give absolute or relative, and not both")
        return self

    def of(self, mean: float) -> float:
        """In the observable's unit, where float64's mean is ``mean``."""
        return self.absolute if self.absolute is not None else (self.relative or 0.0) * abs(mean)


class Protocol(Strict):
    """How dynamics is run.

    Attributes:
        ensemble: ``nve`` by velocity Verlet; ``langevin`` by ASE's propagator (Vanden-Eijnden and Ciccotti, Chem. Phys. Lett. 429, 310 (2006),
            Eq. 23); ``npt`` by the isotropic barostat with Nosé-Hoover chains of Martyna, Tobias and Klein (J. Chem. Phys. 101, 4177 (1994)).
        timestep_fs, temperature_K: as they say; of NVE the temperature that it starts at.
        friction_per_fs: of Langevin. pressure_bar, thermostat_fs, barostat_fs: of NPT, the last two times on which they answer.
        equilibration_ps: by Langevin dynamics in float64, from a relaxed structure, before anything is measured.
        length_ps: measured; long_ps: where long runs are asked for.
        sample_fs: between two notes of energies and temperature; frame_fs: between two of positions. Multiples of the time step.
        margins: by observable.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,39}$")
    title: str
    ensemble: Ensemble
    timestep_fs: Annotated[float, Field(gt=0, le=20)]
    temperature_K: Annotated[float, Field(gt=0, le=20_000)]
    friction_per_fs: Positive | None = None
    pressure_bar: float | None = None
    thermostat_fs: Positive | None = None
    barostat_fs: Positive | None = None
    equilibration_ps: Annotated[float, Field(ge=0, le=10_000)]
    length_ps: Positive
    long_ps: Positive
    sample_fs: Positive
    frame_fs: Positive
    margins: dict[Observable, Margin]

    @model_validator(mode="after")
    def _whole(self) -> Protocol:
        wanted = {"nve": (), "langevin": ("friction_per_fs",), "npt": ("pressure_bar", "thermostat_fs", "barostat_fs")}
        for field in ("friction_per_fs", "pressure_bar", "thermostat_fs", "barostat_fs"):
            if (getattr(self, field) is not None) != (field in wanted[self.ensemble]):
                raise ValueError(f"ensemble {self.ensemble} {'needs' if field in wanted[self.ensemble] else 'takes no'} {field}")
        for field in ("sample_fs", "frame_fs"):
            every = getattr(self, field) / self.timestep_fs
            if every < 1 - 1e-9 or abs(every - round(every)) > 1e-6:
                raise ValueError(f"{field} is {getattr(self, field):g}; give a multiple of timestep_fs, {self.timestep_fs:g}")
        if self.steps_of(self.length_ps) < 10 * self.sample_every:
            raise ValueError("length_ps holds fewer than ten samples; make it longer, or sample_fs shorter")
        return self

    @property
    def sample_every(self) -> int:
        """Steps between two samples."""
        return round(self.sample_fs / self.timestep_fs)

    @property
    def frame_every(self) -> int:
        """Steps between two frames."""
        return round(self.frame_fs / self.timestep_fs)

    def steps_of(self, picoseconds: float) -> int:
        """Steps in a time."""
        return round(picoseconds * 1000 / self.timestep_fs)


class _File(Strict):
    protocols: list[Protocol]


@cache
def builtin() -> dict[str, Protocol]:
    """The built-in protocols by name."""
    place = Path(str(resources.files("mpcheck.data") / "protocols.yaml"))
    return {p.name: p for p in load_yaml(_File, place, "protocol file").protocols}


def get_protocol(name: str) -> Protocol:
    """A built-in protocol, or one in a YAML file of the user's.

    Raises:
        InputError: unknown name, missing file, wrong schema.
    """
    if name.endswith((".yaml", ".yml")):
        return load_yaml(Protocol, Path(name), "protocol file")
    known = builtin()
    if name not in known:
        raise InputError(f"unknown protocol {name!r}{near(name, known)}; choose from {', '.join(known)}, or give a YAML file")
    return known[name]
