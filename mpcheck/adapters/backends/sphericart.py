"""sphericart: spherical harmonics of any model by its kernels, everything else as e3nn has it.

Written as a third party would: derived from the public classes of :mod:`mpcheck.adapters.backends.base`, and known by its entry point alone.
Source of the library: F. Bigi, G. Fraux, N. J. Browning, M. Ceriotti, J. Chem. Phys. 159, 064802 (2023).
"""

from __future__ import annotations

import copy
import math
from importlib import import_module
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase, PlainConverter
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.upstream import o3
from mpcheck.formats import FLOAT64, Component, Format

PACKAGE = "sphericart"
LIBRARY = "sphericart.torch"
COMPUTES_IN = (torch.float64, torch.float32)
CONSTANTS = {4: 64.0, 6: 160.0}
"""By how many roundings of float64 its hard-coded constants are off, by the highest degree up to which it has them (measured in 2.0.4
against 40 digits: 59 up to degree 4, 142 up to 6; they are written with 15 digits, 0.282094791773878 for 0.28209479177387814)."""


class Harmonics(torch.nn.Module):
    """Stands in the place of an ``e3nn.o3.SphericalHarmonics``: vectors [..., 3] to [..., sum of 2l + 1], in e3nn's order and normalisation.

    Attributes:
        degrees, normalization, normalize: as e3nn's own has them. library: what computes: solid harmonics, r^l Y.
    """

    def __init__(self, replaced: torch.nn.Module) -> None:
        super().__init__()
        source: Any = replaced
        library = import_module(LIBRARY)
        self.degrees = tuple(source._ls_list)
        self.normalization = str(source.normalization)
        self.irreps_in, self.irreps_out = source.irreps_in, source.irreps_out
        self.normalize = bool(source.normalize)
        self.library: torch.nn.Module = library.SolidHarmonics(max(self.degrees))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The harmonics. Vectors are made unit ones before, as e3nn does it: the library's own way has NaN for one of no length."""
        if self.normalize:
            x = torch.nn.functional.normalize(x, dim=-1)
        # (z, x, y): e3nn's polar axis is y and its degree 1 is (x, y, z); the library's is z, and its degree 1 is (y, z, x) of what it is given
        values = self.library(x.reshape(-1, 3).roll(1, dims=1))
        parts = [self._scale(degree) * values[:, degree**2 : (degree + 1) ** 2] for degree in self.degrees]
        return torch.cat(parts, dim=-1).reshape(*x.shape[:-1], sum(2 * degree + 1 for degree in self.degrees))

    def _scale(self, degree: int) -> float:
        """From harmonics that are orthonormal on the sphere to e3nn's ``integral``, ``component`` or ``norm``."""
        if self.normalization == "integral":
            return 1.0
        return math.sqrt(4 * math.pi) / (math.sqrt(2 * degree + 1) if self.normalization == "norm" else 1.0)


def to_sphericart(source: torch.nn.Module) -> torch.nn.Module:
    """A copy of a model with every spherical harmonics replaced.

    Raises:
        NotImplementedError: it has none.
    """
    twin = copy.deepcopy(source)
    paths = [name for name, module in twin.named_modules() if isinstance(module, o3.SphericalHarmonics)]
    if not paths:
        raise NotImplementedError(f"{type(source).__name__} has no module of class e3nn.o3.SphericalHarmonics that {PACKAGE} could replace")
    for path in paths:
        _put(twin, path, Harmonics(twin.get_submodule(path)))
    return twin


def from_sphericart(twin: torch.nn.Module) -> torch.nn.Module:
    """A copy with e3nn's spherical harmonics again; they have no weights, so that what they are is all in what replaced them."""
    model = copy.deepcopy(twin)
    for path, module in list(model.named_modules()):
        if isinstance(module, Harmonics):
            made = o3.SphericalHarmonics(list(module.degrees), module.normalize, module.normalization, module.irreps_in)
            _put(model, path, made)
    return model


def _put(model: torch.nn.Module, path: str, module: torch.nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    setattr(model.get_submodule(owner), name, module)


class SphericartModel(BackendModelBase):
    """A model whose spherical harmonics are the library's."""

    packages = (PACKAGE,)

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Other blocks are e3nn's own and judged there; the library has kernels of two types."""
        if not self._has(block):
            return Unsupported("not-applicable", f"e3nn's own: {PACKAGE} computes spherical harmonics alone")
        if fmt.storage not in COMPUTES_IN:
            return Unsupported("no-kernel", f"{PACKAGE} computes in float64 and float32, not in {fmt.name}")
        return None

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """As of a kernel without matrix products, and of constants that have fewer digits than float64."""
        roundoff = fmt.on(self.device.type)
        module = self.module(block)
        degrees = [max(m.degrees) for m in module.modules() if isinstance(m, Harmonics)] if module is not None else []
        if degrees:
            off = max(next((v for most, v in CONSTANTS.items() if degree <= most), max(CONSTANTS.values())) for degree in degrees)
            roundoff["constant"] = roundoff["result"] = max(roundoff["operation"], off * FLOAT64.u)
        return roundoff

    def note(self, block: Block, fmt: Format) -> str:
        """That float64 is not all of float64."""
        own = "constants of 15 digits" if fmt == FLOAT64 and self._has(block) else ""
        return ", ".join(filter(None, [super().note(block, fmt), own]))

    def _has(self, block: Block) -> bool:
        module = self.module(block)
        own = module is not None and any(isinstance(m, (Harmonics, o3.SphericalHarmonics)) for m in module.modules())
        return own or block == WHOLE

    def substitute(self, block: Block) -> str:
        """e3nn's own class in the library's place."""
        module = self.module(block)
        kept = [n or block.name for n, m in module.named_modules() if isinstance(m, o3.SphericalHarmonics)] if module is not None else []
        return f"{kept[0]} is e3nn.o3.SphericalHarmonics, not replaced by {self.name}" if kept else ""


class Sphericart(BackendBase):
    """Registers ``sphericart``."""

    name = PACKAGE

    def __init__(self) -> None:
        self.converter = PlainConverter(self, from_sphericart)

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing package or device."""
        if isinstance(found := attempt(lambda: import_module(LIBRARY)), Raised):
            return Unsupported("not-installed", f"{LIBRARY} cannot be imported ({found.line}); pip install 'mpcheck[{PACKAGE}]'", self.name)
        return super().unavailable(device)

    def build(self, model: torch.nn.Module, device: torch.device) -> SphericartModel:
        """A twin of the model."""
        source = model.to(device)
        return SphericartModel(self.name, source, to_sphericart(source), device)


BACKEND = Sphericart()
