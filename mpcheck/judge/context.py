"""What a check may ask of a run, and the key of one piece of its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, Protocol

import torch

from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.load import LoadedModel
from mpcheck.formats import Format
from mpcheck.judge.tolerances import Tolerances
from mpcheck.records.record import Record
from mpcheck.reference.library import Library
from mpcheck.systems import Structures

P = ParamSpec("P")


@dataclass(frozen=True)
class Counts:
    """Sizes that tell what the first axis of a tensor counts."""

    atoms: int
    edges: int
    graphs: int

    def rows(self, extent: int) -> str:
        """``atom``, ``edge``, ``graph`` or ``row``."""
        names = {self.graphs: "graph", self.atoms: "atom", self.edges: "edge"}
        return names.get(extent, "row")


class Context(Protocol):
    """A run: its model, systems, backends and formats. :class:`mpcheck.sessions.run.Session` is one."""

    formats: list[Format]
    device: torch.device
    tolerances: Tolerances
    model: LoadedModel
    systems: dict[str, Structures]
    broken: dict[str, Raised]
    left_behind: list[str]

    @property
    def seed(self) -> int:
        """Of everything random."""

    @property
    def backend_names(self) -> tuple[str, ...]:
        """Backends that the user asked for."""

    @property
    def required(self) -> tuple[str, ...]:
        """Capabilities whose absence is a failure."""

    @property
    def allow_degraded(self) -> tuple[str, ...]:
        """What may be computed by something else than was asked for."""

    @property
    def reference_backend(self) -> E3nnModel:
        """The float64 e3nn model on the run's device."""

    def backend(self, name: str) -> BackendModel | Unsupported:
        """A backend's model, built once; the reason where it is unavailable."""

    def graph(self, system: str) -> Tensors:
        """A system's tensors in float64 on the CPU."""

    def library(self, system: str) -> Library:
        """References of the model on a system."""

    def counts(self, system: str) -> Counts:
        """Atoms, edges and graphs of a system."""

    def blocks(self, system: str) -> list[Block]:
        """Blocks that the user selected."""


@dataclass(frozen=True)
class Key:
    """One piece of work of a check: what one test does. Fields that do not apply stay empty."""

    check: str
    subject: str
    backend: str = ""
    format: str = ""
    system: str = ""
    variant: str = ""

    @property
    def id(self) -> str:
        """Readable, for a test's id."""
        return "-".join(p for p in (self.check, self.system, self.subject, self.backend, self.format, self.variant) if p)

    @property
    def about(self) -> dict[str, Any]:
        """As fields of its records, which name their variants themselves."""
        return {"check": self.check, "subject": self.subject, "backend": self.backend, "format": self.format, "system": self.system}


@dataclass(frozen=True)
class Inspection:
    """A check of the symmetry or the audit session.

    Attributes:
        name: of the check, as in ``Record.check``.
        keys: its work on a run, cheap to list; building of backends and references waits until ``run``.
        run: does one piece; at least one record.
    """

    name: str
    keys: Callable[[Context], list[Key]]
    run: Callable[[Context, Key], list[Record]]


def timed(run: Callable[P, list[Record]]) -> Callable[P, list[Record]]:
    """A check's ``run`` whose records share out the seconds that it took."""

    @wraps(run)
    def call(*args: P.args, **kwargs: P.kwargs) -> list[Record]:
        began = time.perf_counter()
        records = run(*args, **kwargs)
        seconds = round((time.perf_counter() - began) / len(records), 6)
        return [record.model_copy(update={"seconds": seconds}) for record in records]

    return call
