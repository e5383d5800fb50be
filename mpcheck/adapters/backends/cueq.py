"""cuEquivariance: upstream's converter, explicit layouts, e3nn's argument names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.backends.conversion import CueqConverter, to_cueq
from mpcheck.adapters.backends.cueq_math import inner_arithmetic, math_dtypes, polynomials
from mpcheck.adapters.backends.engagement import (
    ACCELERATED,
    computes_otherwise,
    implementations,
    inside_fused,
    not_replaced,
    where,
    without_kernels,
)
from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.backends.parametrisation import OWN
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.construction import small_twin
from mpcheck.adapters.slots import Slot, cut_as, input_slots, output_slots
from mpcheck.formats import Component, Format

KERNELS = "cueq-kernels"
FUSING = "cuequivariance_ops_torch"
"""What a fused convolution is computed by; where it is missing, upstream's model raises AttributeError when it is called."""


class CueqModel(BackendModelBase):
    """The cuEquivariance twin of an e3nn model, built once in float64."""

    def __init__(self, name: str, source: torch.nn.Module, twin: torch.nn.Module, layout: Layout, device: torch.device) -> None:
        super().__init__(name, source, twin, device, layout)
        self._twin = twin  # also where guests take its place

    packages = ACCELERATED

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Steps inside a fused convolution do not exist apart."""
        return inside_fused(self.model, block)

    def substitute(self, block: Block) -> str:
        """Upstream's own classes in the place of cuEquivariance's (its converter is asked to replace them all), and on CUDA another method
        than was asked for.
        """
        module = self.module(block)
        if kept := not_replaced(module):
            return f"{where(kept[0].path)} is {kept[0].class_name}, not replaced by {self.name}"
        fallen = [i for i in implementations(module) if i.package in ACCELERATED and i.degraded] if self.device.type == "cuda" else []
        return f"{fallen[0].class_name} at {where(fallen[0].path)}: {fallen[0].degraded}" if fallen else ""

    def lacking(self, block: Block) -> str:
        """Whether it runs without cuEquivariance's kernels: by their naive method, as on every CPU."""
        return KERNELS if without_kernels(self.module(block), self.device) else ""

    def here(self, block: Block) -> Block:
        """As the twin's module cuts them: upstream's of today keeps paths apart that older releases merged in a model's linear layers."""
        if block.kind == "step":
            return block
        module = self._twin.get_submodule(block.module_path)

        def cut(slots: Mapping[str, Slot], own: Mapping[str, Slot]) -> dict[str, Slot]:
            return {n: cut_as(slot, own[n]) if n in own else slot for n, slot in slots.items()}

        return replace(block, inputs=cut(block.inputs, input_slots(module)), outputs=cut(block.outputs, output_slots(module)))

    @contextlib.contextmanager
    def prepared(self, block: Block, fmt: Format) -> Iterator[None]:
        """Tensors in the format's storage type, inner arithmetic in its math type."""
        module = self.module(block)
        if module is None:
            yield
            return
        math = fmt.math or fmt.storage
        with inner_arithmetic(module, math), replaced(module, to_dtype(fmt.storage)):
            yield

    def indexed(self, block: Block) -> bool:
        """Every symmetric contraction."""
        return block.class_name == "SymmetricContraction"

    def without_gradient(self, block: Block, argument: str) -> bool:
        """Elements are indices in symmetric contractions, and in the product basis around one."""
        return argument in ("y", "node_attrs") and block.class_name in ("SymmetricContraction", "EquivariantProductBasisBlock")

    def rounds_otherwise(self, block: Block, fmt: Format) -> bool:
        """Where it computes inside a block in a wider type than its tensors have."""
        return computes_otherwise(block, fmt)

    def math_types(self, block: Block) -> set[torch.dtype]:
        """Of its segmented polynomials."""
        module = self.module(block)
        return math_dtypes(module) if module is not None else set()

    def pinned(self, block: Block) -> list[torch.Tensor]:
        """Constants of the polynomials that have a type of their own."""
        module = self.module(block)
        own = polynomials(module) if module is not None else []
        return [b for p in own if isinstance(p.math_dtype, torch.dtype) for b in p.buffers()]

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """In e3nn's shapes where the converter only reshapes; ``cueq:NAME`` where the twin parametrises otherwise."""
        if block.kind == "step":
            return {}
        shapes = {n: p.shape for n, p in self.source.get_submodule(block.module_path).named_parameters()}
        return {
            n if n in shapes else OWN + n: g.reshape(shapes[n]) if n in shapes and shapes[n].numel() == g.numel() else g for n, g in gradients.items()
        }

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """Blocks with a segmented polynomial compute by other operations; its naive method rounds every path's result to
        the storage type and adds the paths up in it, whatever the inner arithmetic.
        """
        module = self.module(block)
        own = [m for m in module.modules() if type(m).__name__ == "SegmentedPolynomial"] if module is not None else []
        if not own:
            return fmt.on(self.device.type)
        return fmt.rearranged(self.device.type, native_sums=any(getattr(m, "method", "") == "naive" for m in own))

    def note(self, block: Block, fmt: Format) -> str:
        """Implementation and inner arithmetic; tf32 on a CPU is emulated."""
        module = self.module(block)
        parts = []
        if module is not None:
            methods = sorted({str(getattr(m, "method", "")) for m in module.modules() if getattr(m, "method", "")} - {""})
            if polynomials(module) or methods:
                parts.append("/".join(methods) or "naive")
            if math_dtypes(module) and fmt.math not in (None, fmt.storage):
                parts.append(f"math {str(fmt.math).removeprefix('torch.')}")
        return ", ".join(filter(None, [*parts, super().note(block, fmt)]))


def not_installed(name: str) -> Unsupported | None:
    """That a backend of this name lacks cuEquivariance; None where it is there."""
    try:
        import cuequivariance_torch  # noqa: F401 - whether it can be imported is the question
    except ImportError:
        return Unsupported("not-installed", "cuequivariance_torch is not installed", name)
    return None


class CueqBackend(BackendBase):
    """Registers ``cueq`` (layout ir_mul, which MACE uses), ``cueq-mul_ir``, and ``cueq-unfused``.

    Attributes:
        layouts: names of the same library's backends in other layouts, which a run that asks for this one looks at in small.
        fused: whether a convolution is one kernel with its message scatter where upstream's converter makes it so: on CUDA.
    """

    capabilities: Mapping[str, str] = {KERNELS: "cuEquivariance's kernels did not run: naive method"}

    def __init__(self, name: str, layout: Layout, layouts: tuple[str, ...] = (), fused: bool = True) -> None:
        self.name = name
        self.layouts = layouts
        self.fused = fused
        self.layout: Layout = layout
        self.converter = CueqConverter(layout, lambda source, twin, device: CueqModel(name, source, twin, layout, device))

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing package or device."""
        if without := not_installed(self.name):
            return without
        if not self.fused and not device.startswith("cuda"):
            return Unsupported("not-applicable", f"convolutions are fused on CUDA alone: on a {device} this would be cueq once more")
        if missing := super().unavailable(device):
            return missing
        if self.fused and device.startswith("cuda") and isinstance(kernels := attempt(lambda: import_module(FUSING)), Raised):
            asked = "upstream fuses convolutions on CUDA, which takes its kernels: install cuequivariance-ops-torch-cu12 (or -cu13)"
            return Unsupported("not-installed", f"{FUSING} cannot be imported ({kernels.line}); {asked}", self.name)
        return None

    def build(self, model: torch.nn.Module, device: torch.device) -> CueqModel:
        """Convert with upstream's converter under a float64 default dtype, which is restored.

        Raises:
            BaseException: whatever upstream's converter and constructors raise; what of it is a known limit, others know.
        """
        # upstream's converter fuses where it is told of a GPU, and takes no other word for it: for a CPU it makes the same modules unfused
        twin = to_cueq(model, self.layout, device if self.fused else torch.device("cpu")).model
        return CueqModel(self.name, model, twin.to(device), self.layout, device)

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """Upstream's converter."""
        return small_twin("mace.cli.convert_e3nn_cueq", layout=self.layout), "converting a float64 model"


BACKEND = CueqBackend("cueq", "ir_mul", ("cueq-mul_ir",))
BACKEND_MUL_IR = CueqBackend("cueq-mul_ir", "mul_ir")
BACKEND_UNFUSED = CueqBackend("cueq-unfused", "ir_mul", fused=False)
