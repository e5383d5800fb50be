"""One run: a model, its systems, backends and formats, built lazily and once per process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import torch

from mpcheck import _torch_state
from mpcheck._errors import InputError
from mpcheck._names import ALL, REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt, attempt_unless_refused, blamed
from mpcheck._text import near
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.capabilities import requirable, unknown
from mpcheck.adapters.backends.e3nn import BACKEND as E3NN
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import BackendModel, built, get_backend, unavailable
from mpcheck.adapters.backends.variants import VariantBackend, made_of
from mpcheck.adapters.blocks import Block, names_by_id
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import LoadedModel, load_model
from mpcheck.checks.precision import CellKey, PrecisionCheck, cell_keys
from mpcheck.formats import FLOAT64, FORMATS, get_format
from mpcheck.judge.context import Counts
from mpcheck.judge.replay import FORWARD
from mpcheck.judge.tolerances import Tolerances, load_tolerances, unused
from mpcheck.judge.upstream_limits import no_conversion
from mpcheck.reference.capture import INDEX
from mpcheck.reference.code import code_of
from mpcheck.reference.library import Library
from mpcheck.reference.place import place_of
from mpcheck.reference.provenance import provenance
from mpcheck.reference.spec import DRAWS, ReferenceSpec
from mpcheck.reference.store import default_cache
from mpcheck.reference.store import place_of as entries_of
from mpcheck.sessions.options import Options
from mpcheck.sessions.typed import parse_device as device_name
from mpcheck.systems import Structures, available_systems, resolve_system


class Session:
    """Everything that is built for a run. Nothing global is changed, and nothing depends on what the caller has: see :mod:`mpcheck._torch_state`."""

    @neutral()
    def __init__(self, options: Options, model: LoadedModel | None = None) -> None:
        """Args:
            model: what to judge, where it is loaded already; ``options.model`` is then its name.

        Raises:
        InputError: unknown model, system, device, backend, format, block or capability.
        """
        every = options.formats or tuple(FORMATS)
        self.options = options = replace(options, formats=every, draws=DRAWS if options.draws is None else options.draws)
        for name in options.backends:
            if isinstance(entry := get_backend(name), VariantBackend) and not options.takes_variants:
                raise InputError(f"backend {name}: backends in a variant are judged by `mpcheck run`; give {entry.base_name} here")
        self.formats = [get_format(name) for name in options.formats]
        if names := unknown(options.require):
            raise InputError(f"unknown capability {', '.join(names)} in --require; choose from {', '.join(requirable())}")
        if not 0 <= options.seed < 1 << 63:
            raise InputError(f"seed {options.seed}: give a whole number from 0 to 2^63 - 1")
        self.device = parse_device(options.device)
        self.tolerances: Tolerances = load_tolerances(options.tolerances)
        before = _torch_state.read()
        self.model: LoadedModel = load_model(options.model) if model is None else model
        self.left_behind = before.differences(_torch_state.read())
        specs = options.systems or tuple(available_systems(self.model.elements))
        self.systems: dict[str, Structures] = {
            spec: resolve_system(spec, self.model.elements, self.model.r_max, options.seed, self.model.inputs, self.model.heads)
            for spec in dict.fromkeys(specs)
        }
        self._backends: dict[str, BackendModel | Unsupported] = {}
        self._graphs: dict[str, Tensors] = {}
        self._checks: dict[str, PrecisionCheck] = {}
        self._refused: dict[str, Raised] = {}
        self.broken: dict[str, Raised] = {}  # planned work, by its key, that raised before it could begin
        self.needs = 0.0  # bytes of the largest call, once it was asked for: see mpcheck.sessions.room
        self.judged_by: dict[str, tuple[ReferenceSpec, str]] = {}  # by system, references other than those of blocks, and their entry

    @cached_property
    @neutral()
    def reference_backend(self) -> E3nnModel:
        """The float64 e3nn model on the device; on the CPU where the device is missing, so that cells can say so."""
        missing = unavailable(E3NN, self.device.type) is not None
        return E3NN.build(self.model.module, torch.device("cpu") if missing else self.device)

    @cached_property
    @neutral()
    def builder(self) -> E3nnModel:
        """The float64 e3nn model that references are made with: see :mod:`mpcheck.reference.place`."""
        here = self.reference_backend
        place = place_of(here.device, self.options.references)
        return here if place == here.device else E3NN.build(self.model.module, place)

    @neutral()
    def backend(self, name: str) -> BackendModel | Unsupported:
        """A backend's model, built at first use; the reason where it is unavailable."""
        if name not in self._backends and name not in self._refused:
            built = attempt(lambda: self._build(name))
            if isinstance(built, Raised):
                built = no_conversion(built, name) or built
            if isinstance(built, Raised):  # kept: building takes up to a minute, and every cell asks
                self._refused[name] = built
            else:
                self._backends[name] = built
        if name in self._refused:
            raise self._refused[name].error
        return self._backends[name]

    def _build(self, name: str) -> BackendModel | Unsupported:
        entry = get_backend(name)
        if missing := unavailable(entry, self.device.type):
            return missing
        if name == REFERENCE_BACKEND:
            return self.reference_backend
        if isinstance(entry, VariantBackend):  # what the base has built serves all its variants
            return made_of(entry, self.backend(entry.base_name))
        self.options.progress(f"building the {name} model")
        return built(entry, self.reference_backend.model, self.device)

    @neutral()
    def graph(self, system: str) -> Tensors:
        """A system's tensors in float64; of recorded calls those that were recorded."""
        if system not in self._graphs:
            frames, recorded = self.systems[system].frames, self.systems[system].graph
            self._graphs[system] = recorded or make_graph(frames, self.model.elements, self.model.r_max, self.model.heads, self.model.inputs)
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

    @property
    def allow_degraded(self) -> tuple[str, ...]:
        """What may be degraded."""
        return self.options.allow_degraded

    def library(self, system: str) -> Library:
        """References of the model on a system."""
        return self.check(system).library

    def counts(self, system: str) -> Counts:
        """Atoms, edges and graphs of a system."""
        return self.check(system).counts

    def sampled(self, system: str) -> str:
        """What of a system blocks are judged on, where it is not all, in words; empty where it is, or where no process has looked at a block."""
        index = entries_of(self.options.cache or default_cache(), self.reference_spec(system).key) / f"{INDEX}.json"
        return self.check(system).library.sampled() if index.is_file() and not self.options.sees_all else ""

    @neutral()
    def check(self, system: str) -> PrecisionCheck:
        """The precision check on a system."""
        if system not in self._checks:
            graph, structure = self.graph(system), self.systems[system]
            library = Library(
                self.builder, graph, self.reference_spec(system), self.options.cache or default_cache(),
                lambda text: self.options.progress(f"{system}: {text}"), self.reference_backend.device,
            )  # fmt: skip
            counts = Counts(structure.atoms, int(graph["edge_index"].shape[1]), len(structure.frames))
            self._checks[system] = PrecisionCheck(library, counts, self.tolerances, self.backend)
        return self._checks[system]

    def reference_spec(self, system: str) -> ReferenceSpec:
        """Which references the model is judged by on a system: those of the present code, or of base's in a gate.

        Raises:
            InputError: the variable of the gate is damaged.
        """
        code, options = code_of(self.model.module), self.options
        return ReferenceSpec(
            self.model.digest, self.systems[system].digest, options.seed, options.draws or DRAWS, self.builder.device.type,
            code.digest, tuple(code.by), self.model.source.get("sha256", ""), every_row=options.rows == ALL,
        ).of(os.environ)  # fmt: skip

    def reference(self, system: str, began: float) -> dict[str, Any]:
        """Where the references on a system come from, for the records; see :func:`mpcheck.reference.provenance.provenance`."""
        spec, entry = self.judged_by.get(system) or (self.reference_spec(system), INDEX)
        return provenance(self.options.cache or default_cache(), spec, began, entry)

    @neutral()
    def blocks(self, system: str) -> list[Block]:
        """Blocks of the model on a system that the patterns select.

        Raises:
            InputError: a pattern that matches no block.
        """
        every = self.check(system).library.blocks()
        patterns = self.options.blocks
        require_matches(patterns, [b.name for b in every], self.options.model)
        return [b for b in every if not patterns or any(fnmatchcase(b.name, p) for p in patterns)]

    def narrowed(self) -> dict[str, list[str]]:
        """What the user left out of a whole run, by kind; empty ones are not there. A user's own structures leave none out."""
        options, chosen = self.options, set(self.systems)
        builtin = available_systems(self.model.elements)
        systems = [name for name in builtin if name not in chosen] if options.systems and chosen <= set(builtin) else []
        blocks: list[str] = []
        if options.blocks and self._checks:
            every = {b.name: None for name in self.systems for b in self.check(name).library.blocks()}
            blocks = [name for name in every if not any(fnmatchcase(name, p) for p in options.blocks)]
        left_out = {
            "blocks": blocks, "formats": [name for name in FORMATS if name not in options.formats],
            "backends": [name for name in Options.backends if name not in options.backends], "systems": systems,
        }  # fmt: skip
        return {kind: names for kind, names in left_out.items() if names}

    @neutral()
    def cells(self) -> list[CellKey]:
        """Every cell of the run, system by system and block by block."""
        keys: list[CellKey] = []
        for system in self.systems:
            blocks = attempt_unless_refused(lambda system=system: self.blocks(system))  # type: ignore[misc]  # a loop's variable, bound
            if isinstance(blocks, Raised):
                keys.append(self._unplanned(system, blocks))
                continue
            keys += cell_keys(blocks, system, self.options.backends, [f.name for f in self.formats])
        if self.options.tolerances is not None and not self.broken:
            names = {b.name for s in self.systems for b in self.check(s).library.blocks()}
            stale = unused(self.tolerances, names, self.options.backends)
            if stale and not self.options.blocks:
                raise InputError(f"tolerance file {self.options.tolerances}: {stale[0]} matches nothing in this model; remove it")
        return keys

    def _unplanned(self, system: str, error: Raised) -> CellKey:
        """The one cell of a system on which the float64 model itself raises: of the block that it raised in."""
        block = blamed(error.error, names_by_id(self.reference_backend.model))
        key = CellKey(system, block or "model", REFERENCE_BACKEND, FLOAT64.name, FORWARD)
        self.broken[key.id] = error
        return key


def require_matches(patterns: Sequence[str], names: Sequence[str], model: str) -> None:
    """Refuse patterns that select nothing.

    Args:
        names: what there is to be selected, blocks first. model: as the user named it.

    Raises:
        InputError: a pattern that matches none of the names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"no block matches {pattern!r}{near(pattern, names)}; `mpcheck blocks {model}` lists them, e.g. {names[0]}")


def parse_device(text: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: anything else. A missing CUDA device is not an input error: its cells say `unsupported`.
    """
    return torch.device(device_name([text]))


__all__: Sequence[str] = ["Options", "Session", "parse_device", "require_matches"]
