"""Every block of a converted model against the source's, in units of the noise of a float64 evaluation of that block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.formats import FLOAT64
from mpcheck.judge.compared import Compared
from mpcheck.judge.metrics import widened
from mpcheck.judge.scale import UNIFORM_SPREAD
from mpcheck.judge.tolerances import Tolerances, limits_for
from mpcheck.reference.deviation import disturbed, squares
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

DRAWS = 4


@dataclass(frozen=True)
class BlockDistance(Compared):
    """One output of one block: distance of twin and source by its noise, and the limit."""

    block: str
    tensor: str
    ratio: float
    limit: float


def distances(source: E3nnModel, twin: BackendModel, graph: Tensors, tolerances: Tolerances, seed: int) -> list[BlockDistance]:
    """Every output of every block that both have, on the arguments that the source's blocks get.

    Args:
        source: float64 e3nn model. twin: of the same parameters.
        graph: float64 tensors of one batch, on the models' device.
    """
    sink = Arguments()
    with torch.no_grad(), Observer(source.model, sink).watching():
        source.model({k: t.clone() for k, t in graph.items()}, compute_force=False)
    rows = []
    for block, skeleton, tensors in sink.blocks.values():  # a call that cannot be repeated is left to the end-to-end comparison
        if block.kind == "step" or twin.unsupported(block, FLOAT64):
            continue
        limit = widened(limits_for(tolerances, block.name, twin.name, FLOAT64.name, "forward").rms, UNIFORM_SPREAD)
        exact, noise = _noise(source, block, skeleton, tensors, seed)
        result = twin.roundoff(block, FLOAT64).get("result", 0.0)
        got = attempt(lambda b=block, s=skeleton, t=tensors: Run(lambda a: twin.call(b, a), s, t, {}, False).outputs)  # type: ignore[misc]
        if isinstance(got, Raised):
            rows.append(BlockDistance(block.name, f"raised {got.text}", math.inf, limit))
            continue
        for name, value in exact.items():
            if name not in got or got[name].shape != value.shape:
                what = "is missing" if name not in got else f"has the shape {list(got[name].shape)} instead of {list(value.shape)}"
                rows.append(BlockDistance(block.name, f"{name}, which {what}", math.inf, limit))
                continue
            error = _rms(got[name] - value)
            allowed = math.hypot(noise[name], result * _rms(value)) or ROUNDOFF * _rms(value)  # where e3nn rounds nothing, its twin may
            ratio = 0.0 if error == 0.0 else (error / allowed if allowed > 0 else math.inf)
            rows.append(BlockDistance(block.name, name, ratio, limit))
    return rows


def innermost(rows: Sequence[BlockDistance]) -> list[BlockDistance]:
    """Of every block that failed, in the order of the calls, its worst output; no composite of which a part failed."""
    failed = {row.block for row in rows if row.fails}
    guilty = [b for b in dict.fromkeys(r.block for r in rows) if b in failed and not any(f.startswith(f"{b}.") for f in failed)]
    return [max((r for r in rows if r.block == b and r.fails), key=lambda r: r.share) for b in guilty]


def _rms(x: torch.Tensor) -> float:
    return math.sqrt(float(x.square().mean())) if x.numel() else 0.0


def _noise(source: E3nnModel, block: Block, skeleton: Any, tensors: Tensors, seed: int) -> tuple[Tensors, dict[str, float]]:
    """Exact outputs, and the RMS noise of each: parameters and every operation rounded."""

    def outputs() -> Tensors:
        return Run(lambda arguments: source.call(block, arguments), skeleton, tensors, {}, False).outputs

    exact = outputs()
    seeds = [seed_of("conversion", block.name, seed, draw) for draw in range(DRAWS)]
    variances = squares(disturbed(outputs, stored=source.module(block)), exact, seeds, lambda deviation: _rms(deviation) ** 2)
    return exact, {n: math.sqrt(sum(own) / DRAWS) * ROUNDOFF for n, own in variances.items()}
