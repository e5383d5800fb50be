"""The float64 values that policies are judged by, made in a process of its own and kept like references of blocks.

Patches of production engines have been seen to move a process's own float64 by 1e-7 eV/Å: what this process computes is compared with it.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from ase import Atoms
from safetensors.torch import load_file, save_file

from mpcheck._errors import InputError
from mpcheck._files.io import digest
from mpcheck._raised import evaluated
from mpcheck._torch_state import neutral
from mpcheck.adapters.load import LoadedModel
from mpcheck.bench.launch.processes import launched, own_paths
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.judging.batches import Batch, batches, graph_of, joined, selected
from mpcheck.policy.judging.exchange import evaluation_in, evaluation_out, frames_out
from mpcheck.policy.judging.reference_worker import WORKER
from mpcheck.policy.judging.structures import Kind, Sets
from mpcheck.reference.code import code_of
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.reference.packages import content
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.steady import MOST_NOISE
from mpcheck.reference.store import Store, default_cache
from mpcheck.reference.whole_noise import ROUNDOFF

DRAWS = 4
ENTRY = "whole-models"
MAKERS = ("judging/batches", "evaluation", "judging/exchange", "judging/reference", "judging/reference_worker")
"""Modules of this room that the values depend on."""
NOISE = "noise"
PATIENCE = 3600.0
"""Seconds after which a process that answers nothing is ended."""


@dataclass(frozen=True)
class WholeReference:
    """Float64 values of all frames of the sets.

    Attributes:
        evaluation: of all frames. noise: of some frames, by place, RMS rounding error in float64 of each value, by name as in
            ``Evaluation.values()``.
        every: the batches that it was made of. own_process: whether it was made in a process of its own. spec: what it is kept for; None of
            one that is kept nowhere.
    """

    evaluation: Evaluation
    noise: dict[int, dict[str, torch.Tensor]]
    every: tuple[Batch, ...]
    own_process: bool
    spec: ReferenceSpec | None = None


def noisy_places(sets: Sets) -> list[int]:
    """Frames whose noise is measured: the smallest of the user's own that has neighbours, and the smallest of its copies."""
    own = sorted(sets.places("own"), key=lambda p: (len(sets.frames[p]) < 2, len(sets.frames[p])))
    return [*own[:1], *sorted(sets.places("rattled"), key=lambda p: len(sets.frames[p]))[:1]]


@neutral()
def reference_tensors(model: LoadedModel, frames: Sequence[Atoms], groups: Sequence[Sequence[int]], noisy: Sequence[int]) -> dict[str, torch.Tensor]:
    """What a reference consists of: values of all frames, and the noise of some.

    Raises:
        InputError: what the model raises in float64; dipole models have neither energies nor forces.
    """
    parts, order = [], [place for group in groups for place in group]
    for group in groups:
        graph, periodic = graph_of([frames[i] for i in group], model)
        parts.append(evaluated(lambda graph=graph, periodic=periodic: evaluate(model.module, graph, "cpu", periodic), model.name))  # type: ignore[misc]
    tensors = evaluation_out(selected(joined(parts), [order.index(i) for i in range(len(order))]))
    for place in noisy:
        graph, periodic = graph_of([frames[place]], model)
        values = evaluate(model.module, graph, "cpu", periodic).values()
        draw = disturbed(lambda graph=graph, periodic=periodic: evaluate(model.module, graph, "cpu", periodic).values())  # type: ignore[misc]
        for name, scale in deviation(draw, values, [seed_of(ENTRY, place, n) for n in range(DRAWS)]).items():
            tensors[f"{NOISE}:{place}:{name}"] = scale
    return {name: t.contiguous() for name, t in tensors.items()}


def whole_reference(
    model: LoadedModel, sets: Sets, cache: Path | None = None, progress: Callable[[str], None] = lambda _: None, in_process: bool = False
) -> WholeReference:
    """The reference of a model on sets of structures, from the cache or made now.

    Args:
        model: by whose name another process loads it. in_process: make it here and keep it nowhere, of a model that no file holds.

    Raises:
        InputError: the process cannot load the model, loads another one than this process has, raises or dies.
        NoReferenceError: a gate wants another code's, which has none.
    """
    every = tuple(batches(sets, model))
    groups, noisy = [list(b.places) for b in every], noisy_places(sets)
    if in_process:
        return _read(reference_tensors(model, sets.frames, groups, noisy), every, own_process=False)
    own = digest(*(content(Path(__file__).parents[1] / f"{name}.py") for name in MAKERS))
    code = code_of(model.module)
    spec = ReferenceSpec(
        model.digest, digest(sets.digest, str(groups), str(noisy), own), draws=DRAWS, code=code.digest, by=tuple(code.by),
        source=model.source.get("sha256", ""),
    ).of(os.environ)  # fmt: skip
    store = Store(cache or default_cache(), spec.key, spec.code, not spec.pinned)

    def build() -> None:
        progress("float64 reference of the whole model, in a process of its own")
        store.save(ENTRY, _made(model, sets, groups, noisy), {"by": list(spec.by)})

    return replace(_read(store.fetch(ENTRY, build)[0], every, own_process=True), spec=spec)


def _made(model: LoadedModel, sets: Sets, groups: list[list[int]], noisy: list[int]) -> dict[str, torch.Tensor]:
    tensors, words = frames_out(sets.frames)
    with tempfile.TemporaryDirectory(prefix="mpcheck-") as folder:
        structures, out = Path(folder) / "structures.safetensors", Path(folder) / "values.safetensors"
        save_file(tensors, structures)
        name = f"the process that makes the float64 reference of {model.name}"
        with launched(name, torch.get_num_threads(), paths=own_paths(), arguments=WORKER, patience=PATIENCE) as (process, _):
            told = process.ask("evaluate", model=model.name, structures=str(structures), words=words, groups=groups, noisy=noisy, out=str(out))
        if told["digest"] != model.digest:
            raise InputError(
                f"model {model.name}: another process loads other weights or classes by this name than this process holds; "
                "save the model that is meant, and give its file"
            )
        return load_file(out)


def _read(tensors: dict[str, torch.Tensor], every: tuple[Batch, ...], own_process: bool) -> WholeReference:
    noise: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition(":")
        if kind == NOISE:
            place, _, name = rest.partition(":")
            noise.setdefault(int(place), {})[name] = value
    return WholeReference(evaluation_in(tensors), noise, every, own_process)


def narrowed(sets: Sets, reference: WholeReference, *kinds: Kind) -> tuple[Sets, WholeReference]:
    """Some of the sets, and their reference, where all of them would take too long; the user's own must be among them."""
    places = {place: number for number, place in enumerate(sets.places("own", *kinds))}
    kept = Sets(tuple(s for s in sets.sets if s.kind in ("own", *kinds)), sets.notes)
    every = tuple(Batch(b.graph, b.periodic, tuple(places[p] for p in b.places)) for b in reference.every if b.places[0] in places)
    noise = {places[p]: values for p, values in reference.noise.items() if p in places}
    return kept, WholeReference(selected(reference.evaluation, list(places)), noise, every, reference.own_process)


@neutral()
def float64_here(model: torch.nn.Module, loaded: LoadedModel, sets: Sets, reference: WholeReference) -> str:
    """What is wrong with this process's float64: values that differ from the reference by more than roundings explain; empty where nothing is.

    Args:
        model: the float64 module that policies are applied to, on the CPU.
    """
    worst: dict[str, float] = {}
    for place, noise in reference.noise.items():
        graph, periodic = graph_of([sets.frames[place]], loaded)
        here, expected = evaluate(model, graph, "cpu", periodic).values(), selected(reference.evaluation, [place]).values()
        for name, value in expected.items():
            gap = _gap(here[name], value)
            scale = max(_rms(noise[name]), ROUNDOFF * _rms(value))
            if gap > MOST_NOISE * scale:
                worst[name] = max(worst.get(name, 0.0), gap)
    if not worst:
        return ""
    told = ", ".join(f"{name} by {size:.2g} {UNITS[name]}" for name, size in worst.items())
    return f"this process's float64 is not the model's: it differs from that of a process of its own ({told}), which roundings do not explain"


UNITS = {"energy": "eV", "interaction": "eV", "forces": "eV/Å", "stress": "eV/Å^3"}


def _rms(t: torch.Tensor) -> float:
    known = t[~t.isnan()]
    return math.sqrt(float(known.square().mean())) if known.numel() else 0.0


def _gap(here: torch.Tensor, expected: torch.Tensor) -> float:
    if not torch.equal(here.isnan(), expected.isnan()):
        return math.inf
    return _rms(here - expected)
