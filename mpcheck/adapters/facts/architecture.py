"""What a cost model must know of a built model: angular momenta, channels, coupling paths and layer widths, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.blocks import leaf_modules
from mpcheck.adapters.upstream import SymmetricContraction, e3nn_nn, mace, o3

_RADIAL = ("BesselBasis", "GaussianBasis", "ChebychevBasis")


@dataclass(frozen=True)
class Harmonics:
    """Spherical harmonics of every edge up to ``l_max``."""

    block: str
    l_max: int


@dataclass(frozen=True)
class RadialBasis:
    """``size`` radial functions (N_rad) of every edge."""

    block: str
    size: int


@dataclass(frozen=True)
class RadialMlp:
    """A multilayer perceptron on every edge: widths from the radial basis to the tensor product's weights."""

    block: str
    widths: tuple[int, ...]


@dataclass(frozen=True)
class CouplingPath:
    """``l1 x l2 -> l3`` for ``channels`` channels.

    Attributes:
        mode: e3nn's connection: ``uvu`` couples each channel with itself alone, ``uvw`` each with each.
        inputs: which irreps of both arguments; paths with the same ones share their product.
    """

    l1: int
    l2: int
    l3: int
    channels: int
    mode: str
    inputs: tuple[int, int]


@dataclass(frozen=True)
class Convolution:
    """The tensor product of every edge's neighbour features with its harmonics, and the sum into atoms by ``scatter``."""

    block: str
    paths: tuple[CouplingPath, ...]


@dataclass(frozen=True)
class LinearMaps:
    """Matrices between channels of one l: (channels in, channels out, 2l + 1); ``elements`` is 1 where all atoms share them."""

    block: str
    maps: tuple[tuple[int, int, int], ...]
    elements: int = 1


@dataclass(frozen=True)
class ContractionOrder:
    """One body order of a symmetric contraction: N_path coupling paths, and the non-zero entries of their table."""

    order: int
    paths: int
    entries: int


@dataclass(frozen=True)
class ContractionOutput:
    """Couplings of a symmetric contraction to one L, from order 1 upwards."""

    L: int
    orders: tuple[ContractionOrder, ...]


@dataclass(frozen=True)
class Contraction:
    """A symmetric contraction of ``channels`` features of ``components`` = (l_max + 1)^2 numbers, weighted by element."""

    block: str
    channels: int
    components: int
    elements: int
    outputs: tuple[ContractionOutput, ...]


@dataclass(frozen=True)
class Features:
    """Node features A of ``channels`` times ``components`` numbers, where they are reshaped for the contraction."""

    block: str
    channels: int
    components: int


LeafFacts = Harmonics | RadialBasis | RadialMlp | Convolution | LinearMaps | Contraction | Features


def _paths(module: Any) -> tuple[CouplingPath, ...]:
    return tuple(
        CouplingPath(
            module.irreps_in1[i.i_in1].ir.l,
            module.irreps_in2[i.i_in2].ir.l,
            module.irreps_out[i.i_out].ir.l,
            module.irreps_in1[i.i_in1].mul,
            i.connection_mode,
            (i.i_in1, i.i_in2),
        )
        for i in module.instructions
    )


def _output(contraction: Any, irrep: Any) -> ContractionOutput:
    tables = [contraction.U_tensors(order) for order in range(1, contraction.correlation + 1)]
    orders = (ContractionOrder(n, int(table.shape[-1]), int((table != 0).sum())) for n, table in enumerate(tables, 1))
    return ContractionOutput(int(irrep.ir.l), tuple(orders))


def _contraction(name: str, module: Any) -> Contraction:
    first = module.contractions[0]
    elements, _, channels = first.weights_max.shape
    outputs = tuple(_output(c, irrep) for c, irrep in zip(module.contractions, module.irreps_out, strict=True))
    return Contraction(name, int(channels), int(first.U_tensors(1).shape[-2]), int(elements), outputs)


def _facts(name: str, module: Any) -> LeafFacts | None:
    if isinstance(module, o3.SphericalHarmonics):
        return Harmonics(name, max(ir.l for _, ir in module.irreps_out))
    if type(module).__name__ in _RADIAL:
        sizes = [t.numel() for t in (*module.parameters(), *module.buffers()) if t.numel() > 1]
        return RadialBasis(name, max(sizes)) if sizes else None
    if isinstance(module, e3nn_nn.FullyConnectedNet):
        return RadialMlp(name, tuple(int(h) for h in module.hs))
    if isinstance(module, SymmetricContraction) and hasattr(module, "contractions"):
        return _contraction(name, module)
    if isinstance(module, o3.FullyConnectedTensorProduct):
        scalars = all(irrep.ir.l == 0 for irrep in module.irreps_in2)
        maps = tuple((i.path_shape[0], i.path_shape[2], module.irreps_out[i.i_out].ir.dim) for i in module.instructions)
        return LinearMaps(name, maps, module.irreps_in2.dim) if scalars else None
    if isinstance(module, o3.TensorProduct):
        return Convolution(name, _paths(module))
    if isinstance(module, o3.Linear):
        return LinearMaps(name, tuple((*i.path_shape, module.irreps_in[i.i_in].ir.dim) for i in module.instructions if i.i_in >= 0))
    if isinstance(module, mace.modules.irreps_tools.reshape_irreps):
        return Features(name, int(module.irreps[0].mul), sum(irrep.ir.dim for irrep in module.irreps))
    return None


def mirrored(model: torch.nn.Module) -> bool:
    """Whether a model promises to follow inversion too: all do but those built with ``use_so3``, whose harmonics are all of even parity,
    so that a structure and its mirror image have different energies.
    """
    return not getattr(model, "use_so3", False)


def architecture_facts(model: torch.nn.Module) -> list[LeafFacts]:
    """Facts of an e3nn model's leaf blocks in the model's order; blocks of classes that no formula covers have none.

    Args:
        model: built of e3nn's modules. A cuEquivariance twin computes the same blocks: ask its source.
    """

    def known() -> Iterator[LeafFacts]:
        for name, module in leaf_modules(model):
            facts = _facts(name, module)
            if facts is not None:
                yield facts

    return list(known())
