"""One run: a model, its systems, backends and formats, built lazily and once per process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.backends import BackendModel, get_backend
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.e3nn_backend import BACKEND as E3NN
from mpcheck.adapters.e3nn_backend import E3nnModel
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import LoadedModel, load_model
from mpcheck.checks.context import lacks
from mpcheck.checks.precision import CellKey, Counts, PrecisionCheck, cell_keys
from mpcheck.formats import FORMATS, get_format
from mpcheck.records import Cell
from mpcheck.reference.library import Library
from mpcheck.reference.spec import DRAWS, ReferenceSpec
from mpcheck.reference.store import default_cache
from mpcheck.systems import System, available_systems, resolve_system
from mpcheck.tolerances import Tolerances, load_tolerances, unused

CAPABILITIES = ("cuda", "cueq", "cueq-kernels", "baseline")


@dataclass(frozen=True)
class Options:
    """What a user asked for.

    Attributes:
        model: see :func:`mpcheck.adapters.load.load_model`.
        systems: built-in names or files; empty for the defaults that the model's elements allow.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        backends, formats: names; blocks: glob patterns, empty for all.
        cache: directory of references; None for the default.
        require: capabilities whose absence is a failure.
        tolerances: a tolerance file; None for the packaged one.
        seed: of built-in systems, cotangents and draws.
        shard: the part of the work that is this run's, ``K/N``; empty for all of it. shard_rows: where the part's records stand in the
            whole session's, by kind; see :func:`mpcheck.shards.runs`.
    """

    model: str = "builtin:hco"
    systems: tuple[str, ...] = ()
    device: str = "cpu"
    backends: tuple[str, ...] = ("e3nn", "cueq")
    formats: tuple[str, ...] = tuple(FORMATS)
    blocks: tuple[str, ...] = ()
    cache: Path | None = None
    require: tuple[str, ...] = ()
    tolerances: Path | None = None
    seed: int = 0
    draws: int = DRAWS
    shard: str = ""
    shard_rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    progress: Callable[[str], None] = field(default=lambda _: None, compare=False)


class Session:
    """Everything that is built for a run. Nothing global is changed."""

    def __init__(self, options: Options) -> None:
        """Raises:
        InputError: unknown model, system, device, backend, format, block or capability.
        """
        self.options = options
        for name in options.backends:
            get_backend(name)
        self.formats = [get_format(name) for name in options.formats]
        unknown = sorted(set(options.require) - set(CAPABILITIES))
        if unknown:
            raise InputError(f"unknown capability {', '.join(unknown)} in --mp-require; choose from {', '.join(CAPABILITIES)}")
        if not 0 <= options.seed < 1 << 63:
            raise InputError(f"seed {options.seed}: give a whole number from 0 to 2^63 - 1")
        self.device = parse_device(options.device)
        self.tolerances: Tolerances = load_tolerances(options.tolerances)
        self.model: LoadedModel = load_model(options.model)
        specs = options.systems or tuple(available_systems(self.model.elements))
        self.systems: dict[str, System] = {
            spec: resolve_system(spec, self.model.elements, self.model.r_max, options.seed) for spec in dict.fromkeys(specs)
        }
        self._backends: dict[str, BackendModel | str] = {}
        self._graphs: dict[str, Tensors] = {}
        self._checks: dict[str, PrecisionCheck] = {}

    @cached_property
    def reference_backend(self) -> E3nnModel:
        """The float64 e3nn model on the device; on the CPU where the device is missing, so that cells can say so."""
        missing = E3NN.unavailable(self.device.type) is not None
        return E3NN.build(self.model.module, torch.device("cpu") if missing else self.device)

    def backend(self, name: str) -> BackendModel | str:
        """A backend's model, built at first use; the reason where it is not to be had."""
        if name not in self._backends:
            self._backends[name] = self._build(name)
        return self._backends[name]

    def _build(self, name: str) -> BackendModel | str:
        entry = get_backend(name)
        reason = entry.unavailable(self.device.type)
        if reason:
            return reason
        if name == "e3nn":
            return self.reference_backend
        self.options.progress(f"building the {name} model")
        try:
            return entry.build(self.reference_backend.model, self.device)
        except NotImplementedError as error:
            return str(error)

    def graph(self, system: str) -> Tensors:
        """A system's tensors in float64."""
        if system not in self._graphs:
            frames = self.systems[system].frames
            self._graphs[system] = make_graph(frames, self.model.elements, self.model.r_max, self.model.heads)
        return self._graphs[system]

    @property
    def seed(self) -> int:
        """Of everything random."""
        return self.options.seed

    @property
    def backend_names(self) -> tuple[str, ...]:
        """Backends that the user asked for."""
        return self.options.backends

    @property
    def required(self) -> tuple[str, ...]:
        """Capabilities whose absence is a failure."""
        return self.options.require

    def library(self, system: str) -> Library:
        """References of the model on a system."""
        return self.check(system).library

    def counts(self, system: str) -> Counts:
        """Atoms, edges and graphs of a system."""
        return self.check(system).counts

    def check(self, system: str) -> PrecisionCheck:
        """The precision check on a system."""
        if system not in self._checks:
            graph, structure = self.graph(system), self.systems[system]
            spec = ReferenceSpec(self.model.digest, structure.digest, self.options.seed, self.options.draws, self.reference_backend.device.type)
            library = Library(
                self.reference_backend, graph, spec, self.options.cache or default_cache(), lambda text: self.options.progress(f"{system}: {text}")
            )
            counts = Counts(structure.atoms, int(graph["edge_index"].shape[1]), len(structure.frames))
            self._checks[system] = PrecisionCheck(library, counts, self.tolerances, self.backend)
        return self._checks[system]

    def blocks(self, system: str) -> list[Block]:
        """Blocks of the model on a system that the patterns select.

        Raises:
            InputError: a pattern that matches no block.
        """
        every = self.check(system).library.blocks()
        patterns = self.options.blocks
        for pattern in patterns:
            if not any(fnmatchcase(b.name, pattern) for b in every):
                raise InputError(f"no block matches {pattern!r}; `mpcheck blocks {self.options.model}` lists them, e.g. {every[0].name}")
        return [b for b in every if not patterns or any(fnmatchcase(b.name, p) for p in patterns)]

    def cells(self) -> list[CellKey]:
        """Every cell of the run, system by system and block by block."""
        found: list[CellKey] = []
        for system in self.systems:
            blocks = self.blocks(system)
            found += cell_keys(blocks, system, self.options.backends, [f.name for f in self.formats])
        if self.options.tolerances is not None:
            names = {b.name for s in self.systems for b in self.check(s).library.blocks()}
            stale = unused(self.tolerances, names, self.options.backends)
            if stale and not self.options.blocks:
                raise InputError(f"tolerance file {self.options.tolerances}: {stale[0]} matches nothing in this model; remove it")
        return found

    def judge(self, key: CellKey) -> Cell:
        """One cell."""
        cell = self.check(key.system).judge(key, get_format(key.format))
        return self._required(cell)

    def _required(self, cell: Cell) -> Cell:
        """Turn a missing capability that the user requires from `unsupported` or a fallback into a failure."""
        require = self.options.require
        lacking = cell.verdict == "unsupported" and lacks(require, cell.backend, cell.reason)
        fallback = "cueq-kernels" in require and cell.backend.startswith("cueq") and "naive" in cell.note.split(", ")[0].split("/")
        if lacking or fallback:
            reason = cell.reason if lacking else "cuEquivariance's kernels did not run: naive method"
            return cell.model_copy(update={"verdict": "fail", "reason": f"required: {reason}"})
        return cell


def parse_device(text: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: anything else. A missing CUDA device is not an input error: its cells say `unsupported`.
    """
    kind, _, index = text.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
        raise InputError(f"unknown device {text!r}; choose cpu, cuda or cuda:N")
    return torch.device(text)


def stderr_progress(text: str) -> None:
    """One line on a terminal's standard error, overwritten by the next."""
    if sys.stderr.isatty():
        print(f"\r\033[K  … {text[:90]}", end="", file=sys.stderr, flush=True)


def clear_progress() -> None:
    """End the progress line."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


__all__: Sequence[str] = ["CAPABILITIES", "Options", "Session", "clear_progress", "parse_device", "stderr_progress"]
