"""What must not matter: that a call was made before, and what memory held."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
import torch.utils.deterministic

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.physics.structure import DRAWS, Case, difference_ratio, limit_of, noise
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of

CALLS = 17  # in float64, after those that warm up: with them twenty
RARE = 0.95  # the chance of one call to escape a fault that strikes once in twenty
WARM_UP = 3  # calls after which TorchScript has optimised what it runs


@contextlib.contextmanager
def poisoned() -> Iterator[None]:
    """Memory that nobody has written to reads as NaN; torch's flags are put back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    try:
        with quiet():
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def soil(device: torch.device, sizes: list[int], dtype: torch.dtype = torch.float64) -> None:
    """Freed memory full of NaN for the allocator to hand out again."""
    held = [torch.full((n,), math.nan, dtype=dtype, device=device) for n in sizes for _ in range(2)]
    held.clear()


def sizes_of(values: Tensors, graph: Tensors) -> list[int]:
    """Numbers of elements of what a call allocates, for :func:`soil`: results, and rows by edge."""
    return sorted({t.numel() for t in values.values()} | {graph["edge_index"].shape[1] * n for n in (1, 3, 16, 64)})


def forward_backward(model: torch.nn.Module, graph: Tensors) -> Tensors:
    """Energy, forces, and the energy's gradient by parameter."""
    data = {k: v.clone() for k, v in graph.items()}
    out = model(data, compute_force=False)
    named = {n: p for n, p in model.named_parameters() if p.requires_grad}
    wanted = [data["positions"], *named.values()]
    gradients = torch.autograd.grad(out["energy"].sum(), wanted, allow_unused=True)
    results = {"energy": out["energy"].detach(), "forces": torch.zeros_like(data["positions"]) if gradients[0] is None else -gradients[0]}
    return results | {f"gradient of {n}": g for n, g in zip(named, gradients[1:], strict=True) if g is not None}


@dataclass
class RepeatNoise:
    """RMS rounding error of what :func:`forward_backward` gives, in a format: of energy and forces at once, of gradients when one is asked for.

    Attributes:
        factor: the format's unit roundoff in units of float64's.
    """

    case: Case
    graph: Tensors
    factor: float = 1.0
    _gradients: dict[bool, Tensors] = field(default_factory=dict)

    def of(self, name: str) -> torch.Tensor | None:
        """By the reference backend, so that a faulty one cannot widen what it is judged by; a parameter that only another has, by its own."""
        known = noise(self.case, self.graph)
        if name not in known:
            known = self._drawn(True)
            known = known if name in known else self._drawn(False)
        return known[name] * self.factor if name in known else None

    def _drawn(self, reference: bool) -> Tensors:
        if reference not in self._gradients:
            model = self.case.context.reference_backend.model if reference else self.case.model

            def values() -> Tensors:
                return forward_backward(model, self.graph)

            seeds = [seed_of("repeat", self.case.context.seed, self.case.key.system, draw) for draw in range(DRAWS)]
            self._gradients[reference] = deviation(disturbed(values), values(), seeds)
        return self._gradients[reference]

    def ratio(self, name: str, got: torch.Tensor, base: torch.Tensor) -> float:
        """Two results that differ, in units of what two roundings make; infinite where they have no place for noise, or are no numbers."""
        scale = self.of(name)
        if scale is None or got.shape != base.shape or scale.shape != base.shape:
            return math.inf
        return orderable(difference_ratio(got, base, scale))


def repeat(case: Case) -> list[Record]:
    """Twenty equal calls in float64, forward and backward.

    After three calls that warm up, half run with freed memory full of NaN, half with torch's own filling of new memory. Calls must
    agree within the noise scale. How many had other bits is told and decides nothing: on one thread of a CPU none should, but torch
    may choose other algorithms under its deterministic mode, and atomic additions are declared non-deterministic, on a GPU and in
    the CPU kernel of index_put as soon as there are two threads (the backward pass of gathering node features).
    """
    graph = case.graph(case.atoms)
    warm = [forward_backward(case.model, graph) for _ in range(WARM_UP)]
    first = warm[-1]
    sizes = sizes_of(first, graph)
    scale, scales = noise(case, graph), RepeatNoise(case, graph)
    dirty: list[Tensors] = []
    for _ in range(CALLS - CALLS // 2):
        soil(case.device, sizes)
        dirty.append(forward_backward(case.model, graph))
    with poisoned():
        filled = [forward_backward(case.model, graph) for _ in range(CALLS // 2)]
    records = [
        repeated(case, "dirty memory", dirty, first, scales, WARM_UP),
        repeated(case, "filled memory", filled, filled[0], scales, WARM_UP + len(dirty)),
        early(case, warm, scale),
    ]
    across = max(orderable(difference_ratio(first[n], filled[-1][n], scale[n])) for n in ("energy", "forces"))
    reason = "energy or forces with poisoned memory differ from those without beyond noise"
    return [*records, case.finding(across, limit=limit_of(case, 1), variant="filled against plain", reason=reason)]


def early(case: Case, warm: list[Tensors], scale: Mapping[str, torch.Tensor], variant: str = "first calls") -> Record:
    """The first calls of a process against the last of them, within noise: TorchScript may have rearranged sums between them."""
    ratios = [[orderable(difference_ratio(call[n], warm[-1][n], scale[n])) for n in ("energy", "forces")] for call in warm]
    worst = max(range(len(warm)), key=lambda i: max(ratios[i]))
    reason = f"call {worst + 1} of the process differs from call {len(warm)} beyond noise: what a module keeps between calls changes its results"
    return case.finding(max(ratios[worst]), limit=limit_of(case, 1), variant=variant, reason=reason, worst=f"call {worst + 1}")


def orderable(x: float) -> float:
    """NaN as infinity: ``max`` would pass over it."""
    return x if x == x else math.inf


def repeated(case: Case, variant: str, runs: list[Tensors], base: Tensors, scales: RepeatNoise, offset: int) -> Record:
    """The first call and tensor that differ beyond noise, if any.

    Args:
        runs: energy, and forces and gradients where a call had a backward pass.
        offset: calls before the first of them.
    """
    limit = limit_of(case, 1)
    bits: set[int] = set()
    beyond: list[tuple[int, str]] = []
    worst = 0.0
    for i, run in enumerate(runs):
        for name in dict.fromkeys([*(base if "forces" in run else ()), *run]):
            got, value = run.get(name), base.get(name)
            if got is not None and value is not None and torch.equal(got, value):
                continue
            bits.add(i)
            ratio = math.inf if got is None or value is None else scales.ratio(name, got, value)
            worst = max(worst, ratio)
            if not ratio <= limit:
                missing = " is missing" if got is None else " was missing before" if value is None else ""
                beyond.append((i + offset + 1, f"{name}{missing}"))
    metrics: dict[str, float | str | bool] = {"calls": float(len(runs)), "calls_not_bit_identical": float(len(bits)), "ratio": worst}
    metrics["threads"] = float(torch.get_num_threads())
    metrics["chance_to_miss_one_call_in_20"] = RARE ** float(offset + len(runs))
    where, calls = f"call {beyond[0][0]}, {beyond[0][1]}" if beyond else "", len({i for i, _ in beyond})
    reason = f"{calls} of {len(runs)} equal calls differ beyond noise, first {where}" + (" (NaN)" if math.isinf(worst) else "")
    return case.finding(worst, limit=limit, variant=variant, reason=reason, worst=where, metrics=metrics)
