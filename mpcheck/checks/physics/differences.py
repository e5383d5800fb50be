"""One block as a function of its inputs, parameters and cotangents; its first and second derivatives, analytic and numerical.

With cotangents ``c`` of the outputs ``f`` and fixed weights ``w``, order 1 is about ``F = <c, f>``, whose derivatives by inputs and
parameters are what a backward pass gives; order 2 about ``G = <w, dF/d(inputs, parameters)>``, whose derivatives by inputs,
parameters and cotangents are what a double backward pass gives, as training on forces takes it. Along a random direction of all
arguments at once, either is compared with central differences of what is differentiated, at three steps, extrapolated as in
:mod:`mpcheck.checks.physics.forces`; what they may be off is computed from truncation and rounding, not chosen.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.checks.physics.forces import OFFSETS, SHRINK, SMOOTH, STEP
from mpcheck.checks.physics.small import CalledBlock
from mpcheck.checks.physics.structure import DRAWS, SIGMAS, rms
from mpcheck.judge.context import Context
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

Order = Literal[1, 2]
FINEST = (0.125, -0.125)  # of the step, besides the OFFSETS
WEIGHT, COTANGENT = "parameter ", "cotangent of "
NAMED = 4  # blocks beside the worst

_noises: WeakKeyDictionary[Context, dict[tuple[str, int], float]] = WeakKeyDictionary()


def drawn(like: torch.Tensor, *key: object) -> torch.Tensor:
    """Standard normal float64 numbers of a tensor's shape, the same on all devices and for all formats."""
    generator = torch.Generator().manual_seed(seed_of(*key))
    return torch.randn(like.shape, dtype=torch.float64, generator=generator).to(like.device)


def scaled(like: torch.Tensor, *key: object) -> torch.Tensor:
    """Normal numbers of a tensor's own size; of size one where it is zero."""
    return drawn(like, *key) * (rms(like) or 1.0)


@dataclass(frozen=True)
class Derivative:
    """Derivatives of an order's scalar.

    Attributes:
        outputs: of the block. first: derivatives of ``F`` by argument. by: of the order's scalar, by argument that it depends on:
            inputs by name, ``parameter NAME``, and for order 2 ``cotangent of OUTPUT``.
    """

    outputs: Tensors
    first: Tensors
    by: Tensors


class BlockFunction:
    """A block at a place; call it inside ``backend.prepared(block, format)``."""

    def __init__(self, backend: BackendModel, seen: CalledBlock, seed: int) -> None:
        self.backend = backend
        self.seen = seen
        self.key = (seed, seen.block.name)
        self.parameters = backend.parameters(seen.block)
        self._cotangents: Tensors | None = None

    def run(self, shift: Mapping[str, torch.Tensor] | None = None) -> Run:
        """A forward pass on the arguments, displaced."""
        moved = {n: t + shift[n] if shift and n in shift else t for n, t in self.seen.inputs.items()}
        return Run(lambda a: self.backend.call(self.seen.block, a), self.seen.skeleton, moved, self.parameters, True)

    def gradients(self, run: Run, shift: Mapping[str, torch.Tensor] | None = None, create: bool = False) -> tuple[Tensors, Tensors]:
        """Cotangents, and the gradients of ``F`` by what it depends on."""
        outputs = {n: t for n, t in run.outputs.items() if t.requires_grad}
        cotangents: Tensors = {}
        for name, output in outputs.items():
            value = drawn(output, *self.key, name).to(output.dtype)
            value = value + shift[COTANGENT + name] if shift and COTANGENT + name in shift else value
            cotangents[name] = value.requires_grad_(create)
        wanted = run.leaves | {WEIGHT + n: p for n, p in run.parameters.items()}
        if not outputs or not wanted:
            return {}, {}
        gradients = torch.autograd.grad(
            list(outputs.values()), list(wanted.values()), list(cotangents.values()), create_graph=create, allow_unused=True
        )
        return cotangents, {n: g for n, g in zip(wanted, gradients, strict=True) if g is not None}

    def weight(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """``w`` of one gradient: of its argument's size, so that every argument counts alike."""
        arguments = self.seen.inputs | {WEIGHT + n: p.detach() for n, p in self.parameters.items()}
        return scaled(arguments[name].to(torch.float64), *self.key, "weight", name).to(like.dtype)

    @contextlib.contextmanager
    def _displaced(self, shift: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Parameters moved, and put back as they were."""
        saved = {n: p.data for n, p in self.parameters.items()}
        try:
            for name, parameter in self.parameters.items():
                if WEIGHT + name in shift:
                    parameter.data = saved[name] + shift[WEIGHT + name]
            yield
        finally:
            for name, parameter in self.parameters.items():
                parameter.data = saved[name]

    def value(self, order: Order, shift: Mapping[str, torch.Tensor]) -> float:
        """``F`` or ``G`` with arguments displaced."""
        with self._displaced(shift):
            run = self.run(shift)
            if order == 1:
                return float(sum((o.detach() * drawn(o, *self.key, n)).sum() for n, o in run.outputs.items()))
            _, gradients = self.gradients(run, shift)
        return float(sum((g * self.weight(n, g)).sum() for n, g in gradients.items()))

    def derivative(self, order: Order) -> Derivative:
        """The analytic derivative; empty where autograd finds no path to an argument."""
        run = self.run()
        cotangents, gradients = self.gradients(run, create=order == 2)
        outputs, first = {n: o.detach() for n, o in run.outputs.items()}, {n: g.detach() for n, g in gradients.items()}
        if order == 1:
            return Derivative(outputs, first, first)
        reached = {n: g for n, g in gradients.items() if g.requires_grad}
        wanted = run.leaves | {WEIGHT + n: p for n, p in run.parameters.items()} | {COTANGENT + n: c for n, c in cotangents.items()}
        if not reached:
            return Derivative(outputs, first, {})
        # G itself is not formed on the way: in a narrow format it would overflow before any derivative does
        weights = [self.weight(n, g) for n, g in reached.items()]
        second = torch.autograd.grad(list(reached.values()), list(wanted.values()), weights, allow_unused=True)
        # autograd's zeros without memory are as good as no path
        return Derivative(outputs, first, {n: g for n, g in zip(wanted, second, strict=True) if g is not None and not torch._is_zerotensor(g)})

    def arguments(self, order: Order) -> Tensors:
        """Everything that can be displaced, where it is."""
        arguments = {n: t for n, t in self.seen.inputs.items() if t.is_floating_point()} | {
            WEIGHT + n: p.detach() for n, p in self.parameters.items()
        }
        if order == 2 and self._cotangents is None:
            self._cotangents = {n: drawn(t, *self.key, n) for n, t in self.run().outputs.items() if t.requires_grad}
        return arguments | {COTANGENT + n: t for n, t in (self._cotangents or {}).items() if order == 2}

    def direction(self, order: Order) -> Tensors:
        """A random direction of all arguments, each in proportion to its size; cotangents have size one."""
        return {
            n: drawn(t, *self.key, "direction", n) if n.startswith(COTANGENT) else scaled(t, *self.key, "direction", n)
            for n, t in self.arguments(order).items()
        }


def rounding(context: Context, seen: CalledBlock, order: Order, seed: int) -> float:
    """RMS rounding error in float64 of ``F`` or ``G``, of the reference backend; measured once for all backends."""
    held = _noises.setdefault(context, {})
    place = (seen.block.name, order)
    if place not in held:
        function = BlockFunction(context.reference_backend, seen, seed)

        def values() -> Tensors:
            return {"value": torch.tensor(function.value(order, {}), dtype=torch.float64)}

        seeds = [seed_of("derivatives", *function.key, draw) for draw in range(DRAWS)]
        held[place] = float(deviation(disturbed(values), values(), seeds)["value"])
    return held[place]


@dataclass(frozen=True)
class DerivativeComparison:
    """A derivative along a direction: analytic, numerical, and how far they may be apart."""

    analytic: float
    numeric: float
    allowed: float

    @property
    def ratio(self) -> float:
        """Their difference over what is allowed; infinite where one is no number."""
        difference = abs(self.analytic - self.numeric)
        if difference == 0.0:
            return 0.0
        ratio = difference / self.allowed if self.allowed > 0 else math.inf
        return ratio if ratio == ratio else math.inf


def compared(
    function: BlockFunction, order: Order, derivative: Derivative, direction: Mapping[str, torch.Tensor], sigma: float
) -> DerivativeComparison:
    """The derivative along a direction against extrapolated central differences.

    Args:
        sigma: RMS rounding error of the scalar from :func:`rounding`; that of the displaced arguments is added.
    """
    terms = [(g * direction[n]).sum() for n, g in derivative.by.items() if n in direction]
    analytic = float(sum(terms)) if terms else 0.0
    arguments = function.arguments(order)
    stored = sum(float((g * arguments[n]).square().sum()) for n, g in derivative.by.items() if n in arguments and n in direction)
    sigma = math.hypot(sigma, ROUNDOFF * math.sqrt(stored)) if math.isfinite(stored) else sigma
    step = STEP
    while True:
        numeric, truncation = _differences(function, order, direction, step)
        noise = SIGMAS * sigma / math.sqrt(2.0) * math.hypot(4 / 3 / (step / 4), 1 / 3 / (step / 2))
        if not truncation > max(SMOOTH * abs(numeric), noise) or step <= STEP / SHRINK**2:
            return DerivativeComparison(analytic, numeric, truncation + noise)
        step /= SHRINK


def _differences(function: BlockFunction, order: Order, direction: Mapping[str, torch.Tensor], step: float) -> tuple[float, float]:
    """The extrapolated central difference, and by how much the extrapolations before and after it differ from it.

    One alone can vanish by chance, where terms of two orders cancel: then the other shows what is left.
    """
    # Not scipy.differentiate.derivative (scipy 1.15; 1.11 is allowed): its error is the difference of two successive estimates, which holds
    # the function's rounding, too, and can vanish by chance. What is allowed here is truncation and the noise scale, each known by itself.
    values = [function.value(order, {n: v * (step * o) for n, v in direction.items()}) for o in (*OFFSETS, *FINEST)]
    central = [(values[2 * i] - values[2 * i + 1]) / (2 * step / 2**i) for i in range(4)]
    once = [(4 * central[i + 1] - central[i]) / 3 for i in range(3)]
    return once[1], max(abs(once[1] - once[0]), abs(once[2] - once[1]))


@dataclass(frozen=True)
class BlockRatio:
    """What was found out about one block.

    Attributes:
        ratio: a difference over what is allowed of it; above one, the block fails. said: how, after the block's name.
    """

    block: str
    ratio: float = 0.0
    said: str = ""


def worst_of(judged: Sequence[BlockRatio]) -> tuple[BlockRatio, str]:
    """The worst block, of equals the one that the model calls first, and a reason that names all that fail."""
    worst = max(judged, key=lambda j: j.ratio, default=BlockRatio(""))
    others = [j.block for j in judged if j.ratio > 1.0 and j is not worst]
    more = f"; so does {', '.join(others[:NAMED])}" if others else ""
    return worst, f"{worst.block}: {worst.said}{more}" + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
