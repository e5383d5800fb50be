"""OpenEquivariance: convolutions by its kernels, and upstream's hybrid with cuEquivariance for the rest. On CUDA devices alone.

Upstream's converter makes every tensor product between nodes and edges one kernel with the sum over neighbours (``TensorProductConv``), in
e3nn's layout and without weights of its own. The kernels have two types. Source of the library: V. Bharadwaj, A. Glover, A. Buluc, J. Demmel,
An Efficient Sparse Kernel Generator for O(3)-Equivariant Deep Networks, arXiv:2501.13986.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from mpcheck._cuda import CUDA
from mpcheck._names import CONVOLVED, HYBRID
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase, PlainConverter
from mpcheck.adapters.backends.conversion import CueqConverter, oeq_to_e3nn, to_hybrid, to_oeq
from mpcheck.adapters.backends.converter import Converted
from mpcheck.adapters.backends.cueq import CueqModel, not_installed
from mpcheck.adapters.backends.design import covering
from mpcheck.adapters.backends.engagement import inside_fused, package_of
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.construction import small_twin
from mpcheck.adapters.upstream import o3
from mpcheck.formats import Format

PACKAGE = "openequivariance"
COMPUTES_IN = (torch.float64, torch.float32)
GPU = torch.device("cuda")


def convolutions(module: torch.nn.Module | None) -> dict[str, torch.nn.Module]:
    """Products of nodes and edges at or below a block by path, replaced or not; ``""`` is the block itself."""
    return {path: m for path, m in module.named_modules() if package_of(m) == PACKAGE or type(m) is o3.TensorProduct} if module is not None else {}


def kept(module: torch.nn.Module | None) -> list[str]:
    """Paths of products that are e3nn's still."""
    return [path for path, m in convolutions(module).items() if package_of(m) != PACKAGE]


def without_kernel(module: torch.nn.Module | None, fmt: Format) -> Unsupported | None:
    """There are kernels of two types, and upstream's modules raise where they are cast to another."""
    if fmt.storage in COMPUTES_IN or not convolutions(module):
        return None
    return Unsupported("no-kernel", f"OpenEquivariance computes in float64 and float32, not in {fmt.name}")


class OeqModel(BackendModelBase):
    """A model whose convolutions are the library's."""

    packages = (PACKAGE,)

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Blocks without a convolution are e3nn's own and judged there."""
        if fused := inside_fused(self.model, block):
            return fused
        if block.name != WHOLE.name and not convolutions(self.module(block)):
            return Unsupported("not-applicable", "e3nn's own: OpenEquivariance computes convolutions alone")
        return without_kernel(self.module(block), fmt)

    def substitute(self, block: Block) -> str:
        """e3nn's own product, in a layer that the converter left as it is, or everywhere."""
        module = self.module(block)
        if left := kept(module):
            return f"{left[0] or 'the block'} is e3nn.o3.TensorProduct, not replaced by {self.name}"
        lacks = block.name == WHOLE.name and not convolutions(module)
        return f"{type(module).__name__} has no convolution of OpenEquivariance" if lacks else ""

    def note(self, block: Block, fmt: Format) -> str:
        """How it adds up."""
        own = "fused, atomic sums" if convolutions(self.module(block)) else ""
        return ", ".join(filter(None, [own, super().note(block, fmt)]))


class HybridModel(CueqModel):
    """A model whose convolutions are OpenEquivariance's, in e3nn's layout inside, and everything else cuEquivariance's in ir_mul."""

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """As cuEquivariance's, but for the types of convolutions."""
        return super().unsupported(block, fmt) or without_kernel(self.module(block), fmt)

    def substitute(self, block: Block) -> str:
        """Of either library."""
        module = self.module(block)
        if block.name == WHOLE.name and not convolutions(module):
            return f"{type(module).__name__} has no convolution of OpenEquivariance"
        return super().substitute(block)

    def note(self, block: Block, fmt: Format) -> str:
        """Both ways of computing."""
        own = "convolutions fused, atomic sums" if convolutions(self.module(block)) else ""
        return ", ".join(filter(None, [own, super().note(block, fmt)]))


class HybridConverter(CueqConverter):
    """Upstream's hybrid, brought back by its converter from cuEquivariance, which makes every product e3nn's."""

    def there(self, model: torch.nn.Module, device: torch.device) -> Converted:
        """See :func:`to_hybrid`."""
        return to_hybrid(model, device)


class OeqConverter(PlainConverter):
    """Upstream's, there and back: no parameter changes, for convolutions have none."""

    package = "mace-torch"

    def __init__(self, backend: OeqBackend) -> None:
        super().__init__(backend, lambda twin: oeq_to_e3nn(twin, GPU).model)

    def back(self, twin: torch.nn.Module, device: torch.device) -> Converted:
        """See :func:`oeq_to_e3nn`."""
        return oeq_to_e3nn(twin, device)

    def there(self, model: torch.nn.Module, device: torch.device) -> Converted:
        """See :func:`to_oeq`."""
        return to_oeq(model, device)

    def wrapped(self, source: torch.nn.Module, twin: torch.nn.Module, device: torch.device) -> OeqModel:
        """The twin as the backend calls it."""
        return OeqModel(CONVOLVED, source, twin, device)


def missing(device: str, name: str) -> Unsupported | None:
    """Why OpenEquivariance cannot be used on a device."""
    if not device.startswith(GPU.type) or not CUDA.is_available():
        return no_device("no CUDA device: OpenEquivariance has kernels for GPUs alone")
    library: Any = attempt(lambda: import_module(PACKAGE))
    if isinstance(library, Raised):
        return Unsupported("not-installed", f"{PACKAGE} cannot be imported ({library.line}); pip install 'mpcheck[oeq]'", name)
    if not getattr(library, "BUILT_EXTENSION", True):
        return Unsupported("not-installed", f"{PACKAGE} has no extension here: {getattr(library, 'BUILT_EXTENSION_ERROR', '')}", name)
    return None


class OeqBackend(BackendBase):
    """Registers ``oeq``."""

    name = CONVOLVED

    def __init__(self) -> None:
        self.converter = OeqConverter(self)

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing device or package."""
        return missing(device, self.name)

    def build(self, model: torch.nn.Module, device: torch.device) -> OeqModel:
        """A twin by upstream's converter.

        Raises:
            NotImplementedError: a model of one layer, or of layers that it would not bring over as they are.
        """
        return OeqModel(self.name, model, to_oeq(model, device).model, device)

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """Upstream's converter."""
        return small_twin("mace.cli.convert_e3nn_oeq", GPU.type), "converting a float64 model"


class HybridBackend(BackendBase):
    """Registers ``oeq-hybrid``."""

    name = HYBRID

    def __init__(self) -> None:
        self.converter = HybridConverter("ir_mul", lambda source, twin, device: HybridModel(HYBRID, source, twin, "ir_mul", device))
        self.converter.configurations = covering(HYBRID)

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing device, or either package."""
        return missing(device, self.name) or not_installed(self.name)

    def build(self, model: torch.nn.Module, device: torch.device) -> HybridModel:
        """A twin by upstream's converter."""
        return HybridModel(self.name, model, to_hybrid(model, device).model, "ir_mul", device)

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """Upstream's converter."""
        return small_twin("mace.cli.convert_e3nn_hybrid", GPU.type), "converting a float64 model"


BACKEND = OeqBackend()
BACKEND_HYBRID = HybridBackend()
