"""Which implementation a block really has, and how often it was really called.

MACE asks cuEquivariance for a method by name (``uniform_1d`` for the channel-wise product and the symmetric contraction,
``naive`` for linear layers and fully connected products); ``SegmentedPolynomial`` keeps the name of the one that it could build, after
falling back with no more than a warning. Upstream's converter fuses the convolution with the scatter on CUDA only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._packages import PACKAGES
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.upstream import SymmetricContraction, o3
from mpcheck.formats import Format

Calls = dict[str, int]
"""Calls by the path of an implementation below its block (``.`` for the block itself)."""

NAIVE = "naive"
FUSED = "original_forward"  # what upstream keeps of a convolution that it fuses with the message scatter: the library's own
FUSED_METHOD = "uniform_1d"  # what upstream's wrapper asks for where it builds the fused convolution
REPLACED = (o3.Linear, o3.TensorProduct, SymmetricContraction)
"""Upstream's classes that an accelerated model must not have: the converter asks for all of them to be replaced."""
DECLARED = {
    "AgnosticChargeBiasedLinearPotentialEmbedding": ("potential_linear", "node_feats_linear", "charge_embedding"),
    "GeneralNonLinearBiasReadoutBlock": ("linear_mid", "linear_2"),
    "NonLinearBiasReadoutBlock": ("linear_mid", "linear_2"),
    "OneBodyMLPFieldReadout": ("linear_up_q", "linear_up_v"),
}
"""Linear layers that mace 0.3.16 makes of e3nn's class whatever it is asked for, by their owner's class; besides those with biases, which
cuEquivariance's have not. Seen in its sources: all other layers of these classes are given ``cueq_config``."""
REPLACED_NAMES = frozenset({"Linear", "FullyConnectedTensorProduct", "TensorProduct", "SymmetricContraction"})
OTHERWISE = frozenset({"TensorProduct", "SymmetricContraction"})
ACCELERATED = tuple(package.module for package in PACKAGES if package.layers)
"""Packages that upstream itself takes implementations from."""


@dataclass(frozen=True)
class Implementation:
    """One implementation below a block.

    Attributes:
        path: below the block; ``.`` for the block itself.
        class_name: its class, with the package: ``cuequivariance_torch.Linear``.
        package: of the class.
        asked: the method that its owner asked for; method: the one that was built. Empty where there is no choice.
        kernel: class of what computes: ``SegmentedPolynomialNaive``; empty where that is the implementation itself.
        fused: it is the convolution fused with the message scatter.
        scripted: its forward is TorchScript, at least in part.
    """

    path: str
    class_name: str
    package: str
    asked: str = ""
    method: str = ""
    kernel: str = ""
    fused: bool = False
    scripted: bool = False

    @property
    def degraded(self) -> str:
        """Why it is not what was asked for; empty where it is."""
        if self.asked and self.method and self.asked != self.method:
            return f"asked for {self.asked}, runs {self.method}"
        return ""


def package_of(module: Any) -> str:
    """The distribution that a module's class belongs to: ``e3nn``, ``mace``, ``cuequivariance_torch`` …"""
    return type(module).__module__.partition(".")[0]


def scripted(module: torch.nn.Module | None) -> bool:
    """Whether a module, or one below it, runs as TorchScript."""
    return module is not None and any(isinstance(m, torch.jit.ScriptModule) for m in module.modules())


def _polynomial(module: Any) -> Any:
    """The segmented polynomial that a module computes with: itself, or its attribute ``f``."""
    for candidate in (module, getattr(module, "f", None)):
        if type(candidate).__name__ == "SegmentedPolynomial":
            return candidate
    return None


def _describe(path: str, module: torch.nn.Module) -> Implementation:
    package = package_of(module)
    name = f"{package}.{type(module).__name__}"
    if type(module).__module__.startswith("e3nn.o3"):
        name = f"e3nn.o3.{type(module).__name__}"
    fused = hasattr(module, FUSED)
    polynomial = _polynomial(module)
    if polynomial is None:
        return Implementation(path, name, package, fused=fused and package == "openequivariance", scripted=scripted(module))
    alone = polynomial is module
    asked = FUSED_METHOD if alone else str(getattr(module, "method", ""))
    kernel = type(getattr(polynomial, "m", polynomial)).__name__
    return Implementation(path, name, package, asked, str(polynomial.method), kernel, fused=alone and fused, scripted=scripted(module))


def implementations(module: torch.nn.Module | None, packages: Collection[str] = ACCELERATED) -> list[Implementation]:
    """Accelerated modules and upstream's replaceable ones at or below a block, outermost only; else the block itself."""
    if module is None:
        return []
    accelerated: list[Implementation] = []
    taken: list[str] = []
    for path, inner in module.named_modules():
        if any(path == t or t == "" or path.startswith(f"{t}.") for t in taken):
            continue
        if package_of(inner) in packages or isinstance(inner, REPLACED):
            taken.append(path)
            accelerated.append(_describe(path or ".", inner))
    return accelerated or [_describe(".", module)]


def not_replaced(module: torch.nn.Module | None) -> list[Implementation]:
    """Upstream's own classes where an accelerated model should have none."""
    own = [i for i in implementations(module) if i.package not in ACCELERATED and i.class_name.rpartition(".")[2] in REPLACED_NAMES]
    return [i for i in own if module is not None and not _declared(module, i.path)]


def _declared(module: torch.nn.Module, path: str) -> bool:
    """Whether upstream keeps a layer as it is on purpose."""
    own = module if path == "." else module.get_submodule(path)
    owner, _, name = path.rpartition(".")
    return int(getattr(own, "bias_numel", 0)) > 0 or name in DECLARED.get(type(module.get_submodule(owner)).__name__, ())


def without_kernels(module: torch.nn.Module | None, device: torch.device) -> bool:
    """Whether something in a block that has accelerated kernels runs without them.

    Where naive was asked for it is upstream's own choice on CUDA; on a CPU no kernel runs at all.
    """
    return any(i.package in ACCELERATED and i.method == NAIVE and (i.asked != NAIVE or device.type == "cpu") for i in implementations(module))


def inside_fused(model: torch.nn.Module, block: Block) -> Unsupported | None:
    """That a convolution, or its message scatter, does not exist apart in a layer where one kernel does both; None where it does."""
    owner = block.module_path.rpartition(".")[0]
    if not owner.startswith("interactions") or not block.module_path.endswith((".conv_tp", ".scatter")):
        return None
    if hasattr(model.get_submodule(owner), "conv_fusion"):
        return Unsupported("not-applicable", "fused with the message scatter; judged in the composite interaction")
    return None


def where(path: str) -> str:
    """An implementation's place below its block, in words."""
    return "the block" if path == "." else path


def never_called(module: torch.nn.Module | None, calls: Calls, packages: Collection[str] = ACCELERATED) -> str:
    """An accelerated implementation that a run of its block went round; empty where there is none."""
    missed = [i for i in implementations(module, packages) if i.package in packages and not calls.get(i.path)]
    return f"{missed[0].class_name} at {missed[0].path} was never called" if missed else ""


def computes_otherwise(block: Block, fmt: Format) -> bool:
    """Whether an accelerated backend rounds otherwise than upstream, so that equal bits can only come from the same code.

    So it is where it computes inside a block in a wider type than its tensors have. Elsewhere sound code may agree to the
    last bit: a linear layer is one matrix product per pair of irreps in both, and a product of scalars has one order.
    """
    return block.class_name in OTHERWISE and fmt.math != fmt.storage


@contextlib.contextmanager
def counted_calls(module: torch.nn.Module | None, packages: Collection[str] = ACCELERATED) -> Iterator[Calls]:
    """Count calls of what computes in each implementation below a block; a forward that goes round it counts nothing."""
    calls: Calls = {}
    undo: list[Callable[[], None]] = []
    try:
        for implementation in implementations(module, packages):
            assert module is not None  # a step has no implementations
            owner = module if implementation.path == "." else module.get_submodule(implementation.path)
            polynomial = _polynomial(owner)
            inner = owner if polynomial is None else getattr(polynomial, "m", polynomial)
            calls[implementation.path] = 0

            def count(*_: Any, path: str = implementation.path) -> None:
                calls[path] += 1

            if polynomial is None and hasattr(owner, FUSED):
                undo.append(_counting(owner, count))
            else:
                undo.append(inner.register_forward_hook(count).remove)
        yield calls
    finally:
        for put_back in undo:
            put_back()


def _counting(module: Any, count: Callable[[], None]) -> Callable[[], None]:
    """Count calls of the function that upstream's forward of a fused convolution calls; what puts it back."""
    original = getattr(module, FUSED)

    def counted(*args: Any, **named: Any) -> Any:
        count()
        return original(*args, **named)

    setattr(module, FUSED, counted)
    return lambda: setattr(module, FUSED, original)
