"""Golden float64 values: has upstream's mathematics changed, not only its precision?

One float64 pass over energy and forces of a stored structure, with every block's output, its cotangent and every parameter's
gradient compressed: small tensors whole, larger ones as norms and seeded random projections per irrep, which move with any
single element. The noise scale of the compressed numbers themselves is measured by Monte Carlo arithmetic on the whole
model, so that what is allowed includes the error that earlier blocks hand on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mpcheck._errors import InputError
from mpcheck._files.documents import of_version, read_fields
from mpcheck._files.io import atomic_path, cannot_write, sha256_file, write_text
from mpcheck._names import GOLDEN, REFERENCE_BACKEND, REGENERATE
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.upstream import quiet
from mpcheck.formats import COMPONENTS, FLOAT64
from mpcheck.judge.metrics import FLOOR, widened
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.records import tensors as records
from mpcheck.records.record import Record, of_tensors
from mpcheck.records.tensors import Quantity
from mpcheck.reference.deviation import deviations, disturbed
from mpcheck.reference.noise import eta_of, perturb, seed_of

SCHEMA = 1
MAX_BYTES = 64 << 20  # the built-in model's take 50 kB; a pull request may bring any
WHOLE = 96  # elements up to which a tensor is stored whole
PROJECTIONS = 6  # per irrep of a larger one
DRAWS = 8


def compress(name: str, tensor: torch.Tensor, slot: Slot) -> torch.Tensor:
    """A small tensor whole; of a larger one, per irrep, its norm and seeded normal projections of unit variance."""
    if tensor.numel() <= WHOLE:
        return tensor.detach().flatten().clone()
    parts = []
    for label, where in slot.groups(tuple(tensor.shape)):
        flat = tensor.detach()[..., where].flatten()
        generator = torch.Generator().manual_seed(seed_of("golden", name, label, where.start))
        directions = torch.randn(PROJECTIONS, flat.numel(), dtype=torch.float64, generator=generator).to(flat.device)
        parts += [flat.norm().reshape(1), directions @ flat]
    return torch.cat(parts)


class _Compressing:
    """A sink that keeps compressed values only."""

    def __init__(self) -> None:
        self.values: Tensors = {}
        self.blocks: dict[str, Block] = {}

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Remember the block; arguments are other blocks' outputs."""
        self.blocks[block.name] = block

    def refused(self, block: Block, reason: str) -> None:
        """Arguments are not stored here, so nothing is refused."""
        self.blocks[block.name] = block

    def output(self, block: str, output: str, value: torch.Tensor, name: str = "") -> None:
        """One output of a block."""
        key = f"{block}:{name or output}"
        self.values[key] = compress(key, value, self.blocks[block].output_slot(output))

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """dE/d(output)."""
        self.output(block, output, value, f"dE/d({output})")


def measure(model: torch.nn.Module, graph: Mapping[str, torch.Tensor]) -> Tensors:
    """Compressed float64 values of one pass: energy (eV), forces (eV/Å), every block's output and cotangent, gradients."""
    sink = _Compressing()
    data = {k: v.clone() for k, v in graph.items()}
    with quiet(), Observer(model, sink).watching():
        out = model(data, compute_force=False)
        parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        gradients = torch.autograd.grad(out["energy"].sum(), [data["positions"], *parameters.values()], allow_unused=True)
    values = sink.values
    values["energy"] = out["energy"].detach().flatten()
    named = dict(zip(["forces", *(f"dE/d[{n}]" for n in parameters)], gradients, strict=True))
    for name, gradient in named.items():
        if gradient is not None:
            values[name] = compress(name, -gradient if name == "forces" else gradient, PLAIN)
    return values


def measure_noise(model: torch.nn.Module, graph: Mapping[str, torch.Tensor], values: Tensors, seed: int) -> Tensors:
    """Noise scale of every compressed value at float64's roundoff."""
    u = FLOAT64.roundoff
    squares = {n: torch.zeros_like(v) for n, v in values.items()}

    def stored(key: int) -> Tensors:
        noisy = {k: perturb(v, key) for k, v in graph.items()}
        with replaced(model, partial(perturb, seed=key)):
            return measure(model, noisy)

    for component in COMPONENTS:
        weight = u[component] if component != "operand" else 0.0
        if not weight:
            continue
        draw = stored if component == "stored" else disturbed(lambda: measure(model, graph), component)
        seeds = [seed_of("golden", seed, component, number) for number in range(DRAWS)]
        for name, deviation in deviations(draw, values, seeds, eta_of(component)):
            squares[name] += (deviation * weight).square() / DRAWS
    return {n: s.sqrt() for n, s in squares.items()}


@dataclass(frozen=True)
class Golden:
    """Stored values of one model on one stored structure."""

    frames: tuple[Atoms, ...]
    values: Tensors
    noise: Tensors
    manifest: dict[str, Any]


def golden_paths(directory: Path, model: str, system: str) -> tuple[Path, Path]:
    """``numerics/<model>/<system>.safetensors`` and its ``.json``."""
    stem = system.replace("builtin:", "").replace(":", "-")
    base = directory / "numerics" / model.replace("builtin:", "").replace(":", "-")
    return base / f"{stem}.safetensors", base / f"{stem}.json"


def save_golden(paths: tuple[Path, Path], frames: tuple[Atoms, ...], values: Tensors, noise: Tensors, manifest: dict[str, Any]) -> None:
    """Write a golden file and its manifest."""
    tensors = {f"value:{n}": v.contiguous() for n, v in values.items()} | {f"noise:{n}": v.float().contiguous() for n, v in noise.items()}
    tensors |= {
        "numbers": torch.tensor(np.concatenate([f.numbers for f in frames])),
        "positions": torch.tensor(np.concatenate([f.positions for f in frames])),
        "cells": torch.tensor(np.stack([f.cell.array for f in frames])),
        "pbc": torch.tensor(np.stack([f.pbc for f in frames]).astype(np.uint8)),
        "counts": torch.tensor([len(f) for f in frames]),
    }
    with atomic_path(paths[0]) as temporary:
        try:
            save_file(tensors, temporary)
        except SafetensorError as error:
            raise cannot_write(paths[0], error) from error
        checksum = sha256_file(temporary)
    write_text(paths[1], json.dumps({"schema": SCHEMA, "sha256": checksum, **manifest}, indent=1) + "\n")


def load_golden(paths: tuple[Path, Path]) -> Golden:
    """Read and verify a golden file.

    Raises:
        InputError: missing, larger than 64 MiB, truncated, altered, another schema.
    """
    where, document = paths
    remedy = f"restore it from version control or rewrite it with `{REGENERATE}`"
    manifest = of_version(read_fields(document, "golden manifest", remedy), f"golden manifest {document}", SCHEMA, remedy, name="schema")
    try:
        if not where.is_file():
            raise InputError(f"golden file {where} does not exist; {remedy}")
        if sha256_file(where, "golden file", MAX_BYTES) != manifest.get("sha256"):
            raise InputError(f"golden file {where}: its sha256 is not the one in {document}; {remedy}")
        tensors = load_file(where)
        frames, start = [], 0
        for i, count in enumerate(tensors["counts"].tolist()):
            rows = slice(start, start + count)
            frames.append(
                Atoms(
                    tensors["numbers"][rows].numpy(),
                    tensors["positions"][rows].numpy(),
                    cell=tensors["cells"][i].numpy(),
                    pbc=tensors["pbc"][i].numpy().astype(bool),
                )
            )
            start += count
    except InputError:
        raise
    except Exception as error:  # a file that another program wrote, with a checksum that fits, can be wrong in any way
        raise InputError(f"golden file {where} cannot be read: {type(error).__name__}: {error}; {remedy}") from error
    values = {n.removeprefix("value:"): t for n, t in tensors.items() if n.startswith("value:")}
    noise = {n.removeprefix("noise:"): t.double() for n, t in tensors.items() if n.startswith("noise:")}
    if {n: t.shape for n, t in values.items()} != {n: t.shape for n, t in noise.items()}:
        raise InputError(f"golden file {where}: its values and their noise scales do not belong together; {remedy}")
    return Golden(tuple(frames), values, noise, manifest)


def compare_golden(golden: Golden, today: Tensors, limits: RatioLimits, system: str = "") -> list[Record]:
    """One record per stored tensor: its rounding ratio at float64, and why it fails, if it does.

    Both sides round, so that their difference has sqrt(2) times the noise scale. The records come in the order in which today's
    model computes them, so that the first that fails is where a change began; then what it no longer computes.
    """
    order = [n for n in today if n in golden.values] + [n for n in golden.values if n not in today]
    quantities = [_compared(name, golden, today.get(name), limits) for name in order]
    quantities += [_quantity(name, failure="new: not in the golden file; regenerate it") for name in sorted(set(today) - set(golden.values))]
    return [_record(quantity, system) for quantity in quantities]


def _compared(name: str, golden: Golden, today: torch.Tensor | None, limits: RatioLimits) -> Quantity:
    value = golden.values[name]
    if today is None:
        return _quantity(name, failure="gone: upstream no longer computes it")
    now = today.to("cpu")
    if now.shape != value.shape:
        return _quantity(name, failure=f"shape {list(now.shape)} instead of {list(value.shape)}")
    if not value.numel():
        return _quantity(name)
    s = golden.noise[name] * 2**0.5
    noise = float(s.square().mean().sqrt())
    rms = noise or FLOAT64.u * float(value.square().mean().sqrt())  # where nothing rounded, other code may
    error = (now - value).abs()
    if not bool(torch.isfinite(now).all()):
        return _quantity(name, failure="not finite")
    ratio = float(error.square().mean().sqrt()) / rms if rms > 0 else (0.0 if not bool(error.any()) else float("inf"))
    largest = float((error / (s + FLOOR * rms)).max()) if noise > 0 else ratio
    limit = widened(limits.rms, 2 / (5 * value.numel()) ** 0.5)
    relative, failure = float((error / (value.abs() + 1e-300)).max()), ""
    if ratio > limit or largest > limits.max_at(value.numel()) * limit / limits.rms:
        failure = f"rms ratio {ratio:.3g} > {limit:.3g} or max {largest:.3g}: float64 values changed by {relative:.2g} (relative)"
    rounded = [round(x, 4) if x < 1e300 else None for x in (ratio, largest)]
    return _quantity(name, *rounded, limit=round(limit, 4), failure=failure)


def _quantity(name: str, rms: float | None = None, largest: float | None = None, *, limit: float | None = None, failure: str = "") -> Quantity:
    return Quantity(name=name, rms=rms, max=largest, rms_limit=limit, failures=[failure] if failure else [])


def _record(quantity: Quantity, system: str) -> Record:
    """A golden value's record; what a block computes is named ``BLOCK:TENSOR``."""
    block, _, tensor = quantity.name.partition(":")
    failure = "".join(quantity.failures)
    return of_tensors(
        [quantity], records.Tensors(), check=GOLDEN, subject=block, backend=REFERENCE_BACKEND, format=FLOAT64.name, system=system, variant=tensor,
        verdict="fail" if failure else "pass", reason=failure,
    )  # fmt: skip
