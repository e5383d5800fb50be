"""cuEquivariance: upstream's converter, explicit layouts, e3nn's argument names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mpcheck._unsupported import KERNELS, Unsupported, no_device
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.backends.cueq_math import inner_arithmetic, math_dtypes, polynomials
from mpcheck.adapters.backends.engagement import ACCELERATED, implementations, not_replaced, where, without_kernels
from mpcheck.adapters.backends.layout import Layout, convert
from mpcheck.adapters.backends.parametrisation import OWN
from mpcheck.adapters.backends.protocol import Native
from mpcheck.adapters.blocks import Block, argument_names
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.steps import FUNCTIONS, step_kind
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.formats import Component, Format


class CueqModel:
    """The cuEquivariance twin of an e3nn model, built once in float64."""

    def __init__(self, name: str, source: torch.nn.Module, twin: torch.nn.Module, layout: Layout, device: torch.device) -> None:
        self.name = name
        self.source = source
        self.model = twin
        self.layout: Layout = layout
        self.device = device

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Steps inside a fused convolution do not exist apart."""
        owner = block.module_path.rpartition(".")[0]
        fused = hasattr(self.model.get_submodule(owner), "conv_fusion") if owner.startswith("interactions") else False
        if fused and block.name.partition("@")[0].endswith((".conv_tp", ".scatter")):
            return Unsupported("not-applicable", "fused with the message scatter; judged in the composite interaction")
        return None

    def substitute(self, block: Block) -> str:
        """Upstream's own classes in the place of cuEquivariance's (its converter is asked to replace them all), and on CUDA another method
        than was asked for.
        """
        module = self.module(block)
        if found := not_replaced(module):
            return f"{where(found[0].path)} is {found[0].class_name}, not replaced by {self.name}"
        fallen = [i for i in implementations(module) if i.package in ACCELERATED and i.degraded] if self.device.type == "cuda" else []
        return f"{fallen[0].class_name} at {where(fallen[0].path)}: {fallen[0].degraded}" if fallen else ""

    def lacking(self, block: Block) -> str:
        """Whether it runs without cuEquivariance's kernels: by their naive method, as on every CPU."""
        return KERNELS if without_kernels(self.module(block), self.device) else ""

    def module(self, block: Block) -> torch.nn.Module | None:
        """The twin's submodule; None for steps."""
        return None if block.kind == "step" else self.model.get_submodule(block.module_path)

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

    def _is_contraction(self, block: Block) -> bool:
        return block.class_name == "SymmetricContraction"

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Convert arguments to the backend's layout, run the block, convert its results back; differentiably."""
        function, positional, named = self.native(block, arguments)
        return self._back(function(*positional, **named), block, "out")

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """The block's own function and its arguments in the backend's layout; results stay in that layout."""
        module = self.module(block)
        if self._is_contraction(block):
            x = arguments["x"].transpose(1, 2).flatten(1)  # its input is ir_mul in either layout
            assert module is not None  # a contraction is no step
            return module, (x, arguments["y"].argmax(dim=-1).int()), {}
        converted = {k: self._there(v, block.input_slot(k)) for k, v in arguments.items()}
        function: Callable[..., Any] = FUNCTIONS[step_kind(block.name)] if module is None else module
        # cuEquivariance's own classes name their arguments otherwise
        positional = module is not None and not set(converted) <= set(argument_names(module))
        return (function, tuple(converted.values()), {}) if positional else (function, (), converted)

    def _there(self, value: Any, slot: Slot) -> Any:
        return convert(value, slot, "mul_ir", self.layout) if isinstance(value, torch.Tensor) else value

    def _back(self, value: Any, block: Block, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return convert(value, block.output_slot(path), self.layout, "mul_ir")
        if isinstance(value, (tuple, list)):
            return tuple(self._back(v, block, f"{path}.{i}") for i, v in enumerate(value))
        return value

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Trainable parameters under the twin's names."""
        module = self.module(block)
        return {} if module is None else {n: p for n, p in module.named_parameters() if p.requires_grad}

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
        if fmt.emulated(self.device.type):
            parts.append(f"{fmt.name} emulated on CPU")
        return ", ".join(parts)


class CueqBackend:
    """Registers ``cueq`` (layout ir_mul, which MACE uses) and ``cueq-mul_ir``."""

    def __init__(self, name: str, layout: Layout) -> None:
        self.name = name
        self.layout: Layout = layout

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing package or device."""
        try:
            import cuequivariance_torch  # noqa: F401 - whether it can be imported is the question
        except ImportError:
            return Unsupported("not-installed", "cuequivariance_torch is not installed", self.name)
        return no_device() if device.startswith("cuda") and not torch.cuda.is_available() else None

    def build(self, model: torch.nn.Module, device: torch.device) -> CueqModel:
        """Convert with upstream's converter under a float64 default dtype, which is restored.

        Raises:
            BaseException: whatever upstream's converter and constructors raise; what of it is a known limit, others know.
        """
        from mace.cli.convert_e3nn_cueq import run

        with quiet(), default_dtype(torch.float64), torch.random.fork_rng(devices=[]):
            twin = run(model, device=device.type, return_model=True, layout=self.layout)
        return CueqModel(self.name, model, twin.to(device).eval(), self.layout, device)


BACKEND = CueqBackend("cueq", "ir_mul")
BACKEND_MUL_IR = CueqBackend("cueq-mul_ir", "mul_ir")
