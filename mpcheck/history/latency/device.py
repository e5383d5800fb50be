"""The device fingerprint: what must be the same for two latencies to be comparable."""

from __future__ import annotations

from typing import Annotated

import pynvml
import torch
from pydantic import Field

from mpcheck._cuda import CUDA
from mpcheck._files.yaml import Strict
from mpcheck._packages import PACKAGES
from mpcheck._packages import versions as installed_versions
from mpcheck.records.environment import device_name, device_slug

GPU_ONLY = {name for package in PACKAGES if package.role in ("compiled", "compiler") for name in package.distributions}
EXCLUDED = ("mpcheck",)  # how it measures is a matter of the records' schema and options; its version changes with every commit


class DeviceKey(Strict):
    """One machine's processor and the versions of what runs on it.

    Attributes:
        slug: directory of its baselines, see :func:`mpcheck.records.environment.device_slug`.
        kind: ``cpu`` or ``cuda``; name: of the processor or GPU.
        capability: vector instructions that torch chose (``AVX512``), or the GPU's compute capability (``9.0``).
        driver, cuda: of the GPU, and what torch was built for; empty on a CPU.
        packages: versions of torch, mace, e3nn, cuequivariance and its compiled kernels.
        threads: torch's threads in the measuring process.
    """

    slug: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    kind: str
    name: str
    capability: str
    driver: str = ""
    cuda: str = ""
    packages: dict[str, str]
    threads: Annotated[int, Field(ge=1)]

    def matches(self, other: DeviceKey) -> list[str]:
        """What differs in ``other``, in words, ``self`` being the stored side; empty where figures may be compared."""
        parts = {
            "kind of device": (self.kind, other.kind), "device": (self.name, other.name), "vector capability": (self.capability, other.capability),
            "driver": (self.driver, other.driver), "CUDA": (self.cuda, other.cuda), "threads": (str(self.threads), str(other.threads)),
        }  # fmt: skip
        if self.kind == other.kind == "cuda":
            parts["compute capability"] = parts.pop("vector capability")
        for package in sorted({*self.packages, *other.packages}):
            parts[package] = (self.packages.get(package, ""), other.packages.get(package, ""))
        return [f"{name} {old or 'none'} stored, {new or 'none'} here" for name, (old, new) in parts.items() if old != new]


def driver_version() -> str:
    """Version of the NVIDIA driver; empty where there is none to ask."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ""
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return ""
    finally:
        pynvml.nvmlShutdown()


def versions(kind: str) -> dict[str, str]:
    """Versions that latency on a kind of device depends on."""
    left = {*EXCLUDED, *(GPU_ONLY if kind == "cpu" else ())}
    return {name: number for name, number in installed_versions().items() if name not in left}


def device_key(device: str, threads: int) -> DeviceKey:
    """The fingerprint of a device as it is now.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: of the measuring process; this process may have others.
    """
    kind = device.partition(":")[0]
    gpu = kind == "cuda" and CUDA.is_available()
    if gpu:
        major, minor = CUDA.get_device_capability(torch.device(device))
    return DeviceKey(
        slug=device_slug(device),
        kind=kind,
        name=device_name(device),
        capability=f"{major}.{minor}" if gpu else torch.backends.cpu.get_cpu_capability(),
        driver=driver_version() if gpu else "",
        cuda=str(torch.version.cuda or "") if gpu else "",
        packages=versions(kind),
        threads=threads,
    )
