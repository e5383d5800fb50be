"""A fuzz case: one architecture, a batch of structures and the backends, as a small YAML file; and its way to a session."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import ruamel.yaml
from ase import Atoms
from ase.io import write
from pydantic import Field, field_validator

from mpcheck._files.io import write_text
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.adapters.architecture import Architecture
from mpcheck.sessions.run import Options, Session

CORPUS = Path(__file__).with_name("corpus")
DIGITS = 6  # of a position or cell vector in Å, so that a case in a file is the case that ran
FORMATS = ("float64", "float32", "bfloat16", "float16")
Vector = Annotated[list[float], Field(min_length=3, max_length=3)]


class Frame(Strict):
    """One structure: chemical symbols, positions and cell vectors in Å, periodicity; ``kind`` says what it is meant to be."""

    kind: str
    symbols: Annotated[list[str], Field(min_length=1)]
    positions: Annotated[list[Vector], Field(min_length=1)]
    cell: Annotated[list[Vector], Field(min_length=3, max_length=3)]
    pbc: Annotated[list[bool], Field(min_length=3, max_length=3)]

    @classmethod
    def of(cls, kind: str, atoms: Atoms) -> Frame:
        """The frame of ASE's structure, rounded to what a file holds."""
        positions = np.round(atoms.positions, DIGITS).tolist()
        cell = np.round(atoms.cell.array, DIGITS).tolist()
        return cls(kind=kind, symbols=list(atoms.get_chemical_symbols()), positions=positions, cell=cell, pbc=[bool(p) for p in atoms.pbc])

    def atoms(self) -> Atoms:
        """ASE's structure."""
        return Atoms(self.symbols, positions=self.positions, cell=self.cell, pbc=self.pbc)


class Plant(Strict):
    """A fault that the suite must see on this case: a patch of ``tests.faults.patches`` and the check that must turn red."""

    patch: str
    arguments: dict[str, float | int | str] = {}
    check: Literal["precision", "equivariance", "layout", "physics", "golden"]
    subject: str
    backend: str = "e3nn"
    format: str = "float64"
    direction: Literal["forward", "backward"] = "forward"
    variant: str = ""
    says: str
    inherited: bool = False


class Case(Strict):
    """One case.

    Attributes:
        found: what this case once showed, in a line; empty for one just drawn.
        explains: text of the reasons (of ``unsupported``, ``inconclusive``, ``known-fault`` or of a refusal) that the suite must
            still give, so that an interesting explanation does not get lost; one line for each.
        open: text of what is still wrong with it and why, one line for each; its test is then expected to fail, and must.
        plants: faults that must be seen on it.
    """

    schema_version: Literal[1] = 1
    found: str = ""
    explains: list[str] = []
    open: list[str] = []
    plants: list[Plant] = []
    backends: Annotated[list[Literal["e3nn", "cueq"]], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 0
    architecture: dict[str, Any]
    frames: Annotated[list[Frame], Field(min_length=1)]

    @field_validator("architecture")
    @classmethod
    def _an_architecture(cls, value: dict[str, Any]) -> dict[str, Any]:
        Architecture.model_validate(value)
        return value

    @property
    def digest(self) -> str:
        """Of what is run: ten hexadecimal digits."""
        body = self.model_dump(include={"backends", "seed", "architecture", "frames"})
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:10]

    def session(self, directory: Path, progress: Callable[[str], None] = lambda _: None) -> Session:
        """The session that a user would have who names the case's files, which are written to an empty directory.

        Raises:
            InputError: the suite refuses the architecture or the structures.
        """
        model, structures = directory / "model.yaml", directory / "frames.extxyz"
        write_text(model, _dumped(self.architecture))
        write(structures, [frame.atoms() for frame in self.frames], format="extxyz")
        return Session(
            Options(
                model=str(model), systems=(f"{structures}@:",), backends=tuple(self.backends), formats=FORMATS,
                cache=directory / "cache", seed=self.seed, progress=progress,
            )
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the case as YAML, atomically; defaults are left out."""
        write_text(path, _dumped({"schema_version": 1, **self.model_dump(exclude_defaults=True)}))


def load_case(path: Path) -> Case:
    """Read a case.

    Raises:
        InputError: missing, or with wrong fields.
    """
    return load_yaml(Case, path, "fuzz case")


def corpus(directory: Path = CORPUS) -> dict[str, Case]:
    """Every kept case by the name of its file, in the order of names."""
    return {path.stem: load_case(path) for path in sorted(directory.glob("*.yaml"))}


def _dumped(data: dict[str, Any]) -> str:
    yaml, out = ruamel.yaml.YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.width, yaml.sort_base_mapping_type_on_output = None, 130, False
    yaml.dump(data, out)
    return out.getvalue()
