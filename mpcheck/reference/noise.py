"""Monte Carlo arithmetic on a float64 block (Stott Parker 1997; Verificarlo, Denis et al. 2016).

Each draw multiplies values by ``1 + eta * xi`` with ``xi`` uniform in [-1, 1] at one component of the computation. ``eta`` is
far above float64's own roundoff and far below where the block stops being linear, so that the deviations, divided by
``eta``, are the first-order response to roundings of size ``u = 1``; a format's noise scale follows by multiplying with its
``u``. A TorchDispatchMode sees every aten operation, also those inside TorchScript modules and those of the backward pass.

``xi`` is a hash of the value's significand (:mod:`mpcheck.reference.hashing`), because rounding is a function of the value: two equal
numbers (the rows of an embedding, the energy's cotangent of every atom) are rounded alike and their errors add up instead of averaging
out, and a number that every format holds exactly is not moved at all. Independent draws would call such sums four times too accurate.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import torch

from mpcheck.formats import INNER, Component
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.hashing import DIGITS, OPERAND_DIGITS, hashed
from mpcheck.reference.operations import FACTORIES, Operation, exact_scaling, has_constant, operation_of, packet_name
from mpcheck.reference.sums import sum_noise, terms_of

ETA = 2.0**-24  # float32's roundoff: where a value is a product of two that vanish by symmetry, its errors are of second order
ETA_ABSOLUTE = 2.0**-40  # of underflow, which acts on values far below one


def seed_of(*key: object) -> int:
    """A 63-bit seed for a key, so that blocks can be done in any order and on any worker."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, key)).encode()).digest()[:8], "little") & (2**63 - 1)


def passes(x: torch.Tensor) -> bool:
    """Whether nothing of a tensor rounds: of another type, empty, or autograd's own zeros (the derivative of a sign), which have no memory."""
    return x.dtype != torch.float64 or not x.numel() or x._is_zerotensor()


def perturb(x: torch.Tensor, seed: int, apart: bool = False, digits: int = DIGITS) -> torch.Tensor:
    """``x * (1 + eta * xi)``, ``xi`` alike for numbers of the same first ``digits``; tensors that are not float64 pass."""
    if passes(x):
        return x
    return torch.addcmul(x, x, hashed(x, seed, apart, digits), value=ETA * 2.0**-63)


def perturb_absolute(x: torch.Tensor, seed: int, apart: bool = False) -> torch.Tensor:
    """``x + eta * xi`` where x is not zero: the absolute error of a subnormal result."""
    if passes(x):
        return x
    return torch.add(x, hashed(x, seed, apart), alpha=ETA_ABSOLUTE * 2.0**-63)


def eta_of(component: Component) -> float:
    """Size of a component's perturbation."""
    return ETA_ABSOLUTE if component == "underflow" else ETA


class Constants:
    """Which tensors of a run are computed from nothing but numbers in the code: tables, normalisations, ones and zeros.

    Their rounding is no accident of the data: it belongs to what a format stores, and is the same in every run.
    """

    def __init__(self) -> None:
        self.held: dict[int, torch.Tensor] = {}  # holding them keeps their identities from being reused

    def note(self, name: str, args: Any, result: Any) -> bool:
        """Classify a result; True where it is a constant."""
        held = self.held
        if name in FACTORIES:
            self.hold(result)
            return True
        first: torch.Tensor | None = None
        variable = False
        for argument in args:
            # lists of tensors are the arguments of cat and stack; every other argument is a tensor or a number
            for value in argument if isinstance(argument, (list, tuple)) else (argument,):
                if isinstance(value, torch.Tensor):
                    first = value if first is None else first
                    variable = variable or id(value) not in held
        if first is None:
            return False
        if not variable:
            self.hold(result)
            return True
        if id(first) in held and name.endswith("_"):
            storage = first.untyped_storage().data_ptr()  # data was written into it, and into what it is a view of
            self.held = {i: t for i, t in held.items() if t.untyped_storage().data_ptr() != storage}
        return False

    def hold(self, result: Any) -> None:
        """Remember a result, or several, as constant."""
        for value in result if isinstance(result, (list, tuple)) else (result,):
            if isinstance(value, torch.Tensor):
                self.held[id(value)] = value


class ConstantRounding(DispatchMode):
    """Rounds what the code computes from constants alone to a format, in float64."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.constants = Constants()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = packet_name(func)
        if not self.constants.note(name, args, result) or not isinstance(result, torch.Tensor) or result.dtype != torch.float64:
            return result
        rounded = result.to(self.dtype).to(torch.float64)
        self.constants.hold(rounded)
        return result.copy_(rounded) if name.endswith("_") else rounded


class NoiseMode(DispatchMode):
    """Perturbs one component of every operation that runs inside it, forward and backward.

    In-place operations take their noise in place; views, copies, gathers, concatenations and fills take none. Results that
    depend on constants alone take the noise of the stored component, to which the caller adds arguments and parameters.
    ``apart``: equal numbers, and equal rows that a scatter adds, err independently, not alike.
    """

    def __init__(self, component: Component, seed: int, apart: bool = False) -> None:
        super().__init__()
        self.component = component
        self.apart = apart
        self.seed = seed
        self.inner = component in INNER
        self.constants = Constants()
        self.perturb = perturb_absolute if component == "underflow" else perturb

    def _noisy(self, value: Any) -> Any:
        return self.perturb(value, self.seed, self.apart) if isinstance(value, torch.Tensor) else value

    def _operand(self, value: Any) -> Any:
        return perturb(value, self.seed, self.apart, OPERAND_DIGITS) if isinstance(value, torch.Tensor) else value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operation = operation_of(func)
        if self.component == "operand":
            return func(*(tuple(self._operand(a) for a in args) if operation.product else args), **kwargs)
        if self.component == "constant":
            return func(*(tuple(self._constant(a) for a in args) if has_constant(operation.name, args) else args), **kwargs)
        if self.component == "inner" and operation.steps is not None:
            with NoiseMode("operation", self.seed, self.apart):
                taken_apart = operation.steps(*args, **kwargs)
            return args[0].copy_(taken_apart) if operation.in_place else taken_apart
        result = func(*args, **kwargs)
        if self.inner:
            return sum_noise(func, operation.name, args, kwargs, result, self.seed, ETA, self.apart) if operation.sums == self.component else result
        constant = self.constants.note(operation.name, args, result)
        if constant != (self.component == "stored") or not operation.rounds or self._elsewhere(operation, args):
            return result
        noisy = self._added(operation, result)
        if constant:
            self.constants.hold(noisy)
        return noisy

    def _added(self, operation: Operation, result: Any) -> Any:
        if operation.in_place and isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            return result.copy_(self.perturb(result, self.seed, self.apart))
        if isinstance(result, (tuple, list)):
            return type(result)(self._noisy(r) for r in result)
        return self._noisy(result)

    def _elsewhere(self, operation: Operation, args: Any) -> bool:
        """Whether an operation's result takes its noise in another component, or rounds nothing."""
        if self.component == "underflow":
            return False
        other = self.component != "stored" and operation.product != (self.component == "product")
        return other or exact_scaling(operation.name, args)

    def _constant(self, value: Any) -> Any:
        if not isinstance(value, float) or not math.isfinite(value):
            return value
        return float(perturb(torch.tensor(value, dtype=torch.float64), self.seed))


def largest(x: torch.Tensor) -> float:
    """Largest magnitude of a floating-point tensor; 0 of any other."""
    return float(x.detach().abs().max()) if x.is_floating_point() and x.numel() else 0.0


class CensusMode(DispatchMode):
    """Finds out which components a block has at all, the largest magnitude on the way to its results, and its longest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.peak = 0.0
        self.terms = 1
        self.present: set[Component] = {"stored", "underflow"}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = operation_of(func)
        if operation.rounds:
            self.operations += 1
            self.peak = max(self.peak, largest(result) if isinstance(result, torch.Tensor) else 0.0)
            self.present |= {"operand", "product"} if operation.product else {"operation"}
            if operation.sums is not None:
                self.present.add(operation.sums)
                self.terms = max(self.terms, terms_of(operation.name, args, kwargs or {}, result))
            if operation.steps is not None:
                self.present.add("inner")
            if has_constant(operation.name, args):
                self.present.add("constant")
        return result
