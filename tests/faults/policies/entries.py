"""The list of policies' faults: a strict schema and its file."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.policy.rules import builtin
from tests.faults.patches.planting import Patch, collected
from tests.faults.policies import patches, twins

FILE = Path(__file__).parent.with_suffix(".yaml")
PATCHES, TWINS = collected(patches), collected(twins)
Text = Annotated[str, Field(min_length=1)]
Finding = Literal["applied", "finite", "float64", "parity", "forces", "energy", "stress"]


class _Planted(Strict):
    """What is planted, and the policy that it is planted into.

    Attributes:
        name: of a context manager. arguments: its parameters. policy: a built-in one.
    """

    name: Text
    arguments: dict[str, float | int | str] = {}
    policy: Text

    def checked(self, known: dict[str, Patch]) -> None:
        """Raises:
        ValueError: an unknown name or policy, or other arguments than it takes.
        """
        if self.name not in known or self.policy not in builtin():
            raise ValueError(f"{self.name!r} or {self.policy!r} is unknown")
        taken: Any = inspect.signature(known[self.name]).parameters.values()
        needed, every = {p.name for p in taken if p.default is p.empty}, {p.name for p in taken}
        if not needed <= set(self.arguments) <= every:
            raise ValueError(f"{self.name} takes the arguments {sorted(every)}, not {sorted(self.arguments)}")


class Plant(_Planted):
    """One way to plant a fault.

    Attributes:
        red: the finding that must fail. block: glob pattern of the block that it must name; empty where none is to blame.
        says: text that its reason must hold.
    """

    red: Finding
    block: str = ""
    says: str = ""


class Twin(_Planted):
    """A legitimate change that looks like the fault, and why it is one."""

    why: Text


class Fault(Strict):
    """One fault of a policy, with where it was seen and what its users saw."""

    id: Annotated[str, Field(pattern=r"^P[1-9][0-9]?$")]
    source: Text
    symptom: Text
    plants: Annotated[list[Plant], Field(min_length=1)]
    twins: Annotated[list[Twin], Field(min_length=1)]

    @model_validator(mode="after")
    def _exists(self) -> Fault:
        for plant in self.plants:
            plant.checked(PATCHES)
        for twin in self.twins:
            twin.checked(TWINS)
        return self


class Faults(Strict):
    """The file."""

    schema_version: Literal[1]
    faults: Annotated[list[Fault], Field(min_length=1)]


@cache
def load_faults(path: Path = FILE) -> list[Fault]:
    """Read and check the file.

    Raises:
        InputError: missing, not YAML, or a wrong field.
    """
    return load_yaml(Faults, path, "list of policies' faults").faults
