"""The packages that numbers and times depend on: one list, of which records, references, gates and baselines each take their part."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

Role = Literal["torch", "model", "kernels", "compiled", "compiler", "helper"]
"""model: what defines a model. kernels: Python that computes blocks otherwise; compiled: its binaries, which run on a GPU only. compiler:
what makes kernels at run time. helper: what a model is computed by that has no numbers of its own."""


@dataclass(frozen=True)
class Package:
    """One package.

    Attributes:
        module: as it is imported. distributions: as it is installed, by one of these names.
        layers: whether it has torch modules that take the place of blocks.
    """

    module: str
    distributions: tuple[str, ...]
    role: Role
    layers: bool = False


def _built(name: str) -> tuple[str, ...]:
    return tuple(f"{name}-cu{cuda}" for cuda in (12, 13))


PACKAGES = (
    Package("torch", ("torch",), "torch"),
    Package("mace", ("mace-torch",), "model"),
    Package("e3nn", ("e3nn",), "model"),
    Package("cuequivariance", ("cuequivariance",), "kernels"),
    Package("cuequivariance_torch", ("cuequivariance-torch",), "kernels", layers=True),
    Package("cuequivariance_ops", _built("cuequivariance-ops"), "compiled"),
    Package("cuequivariance_ops_torch", _built("cuequivariance-ops-torch"), "compiled", layers=True),
    Package("openequivariance", ("openequivariance",), "kernels", layers=True),
    Package("sphericart", ("sphericart-torch",), "kernels"),
    Package("triton", ("triton",), "compiler"),
    Package("opt_einsum_fx", ("opt-einsum-fx",), "helper"),
    Package("opt_einsum", ("opt-einsum",), "helper"),
)


def modules(*roles: Role) -> tuple[str, ...]:
    """Import names of packages of some roles."""
    return tuple(package.module for package in PACKAGES if package.role in roles)


def installed(module: str) -> str:
    """Version of a listed package; empty where it is not installed."""
    names = next((package.distributions for package in PACKAGES if package.module == module), ())
    return next((known for name in names if (known := _version(name))), "")


def distributions() -> list[str]:
    """Names of all as they are installed, mpcheck's own first, without helpers."""
    return ["mpcheck", *(name for package in PACKAGES if package.role != "helper" for name in package.distributions)]


def versions() -> dict[str, str]:
    """Installed versions by distribution, mpcheck's own first; helpers' are told by what uses them."""
    return {name: known for name in distributions() if (known := _version(name))}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
