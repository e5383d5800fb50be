"""Smoke: what is installed, what the device is and how its clocks stand, and one block of each backend on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mpcheck._cuda import CUDA, CudaApi
from mpcheck._names import DEFAULT_BACKENDS
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.engagement import implementations
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.bench.gpu.nvml import opened_gpu, reason_names
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT32
from mpcheck.history.latency.device import device_key
from mpcheck.judge.replay import FORWARD
from mpcheck.records.detail import Value
from mpcheck.records.environment import ambient_flags
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from mpcheck.survey.found import Finding, write_found

MODEL, SYSTEM, BLOCK = "builtin:hco", "builtin:water", "interactions.1.linear"
COMPOSITE = "interactions.1"


def main(words: Sequence[str]) -> int:
    """``DEVICE OUT [BACKENDS]``: leave what was found in ``OUT``; 0."""
    device, out, *backends = words
    write_found(Path(out), [machine(device), board(device), *blocks(device, tuple(backends) or DEFAULT_BACKENDS)])
    return 0


def machine(device: str) -> Finding:
    """Versions, and what of torch's settings changes results."""
    key = device_key(device, torch.get_num_threads())
    flags = {name: str(value) for name, value in ambient_flags().items()}
    told: dict[str, Value] = {"device": key.name, "capability": key.capability, "driver": key.driver, "cuda": key.cuda, **key.packages, **flags}
    return Finding(name="machine", verdict="pass", reason=f"{key.name}, {key.capability}", figures={n: v for n, v in told.items() if v != ""})


def board(device: str, cuda: CudaApi = CUDA) -> Finding:
    """Clocks, temperature, power and what holds the clocks down."""
    kind = torch.device(device)
    if kind.type != "cuda":
        return Finding(name="board", verdict="unsupported", reason="a CPU tells no clocks, power or throttling")
    properties = cuda.get_device_properties(kind)
    told: dict[str, Value] = {name: float(getattr(properties, name, 0)) for name in ("L2_cache_size", "total_memory")}  # bytes
    with opened_gpu(kind, cuda=cuda) as gpu:
        if isinstance(gpu, str):
            return Finding(name="board", verdict="inconclusive", reason=gpu, figures=told)
        state = gpu.state()
        read = {
            "SM MHz": state.sm_mhz, "memory MHz": state.memory_mhz, "SM MHz at most": gpu.max_sm_mhz, "celsius": state.celsius, "watts": state.watts,
            "watts at most": gpu.limit_watts,
        }  # fmt: skip
        told |= {name: float(value) for name, value in read.items() if value is not None}
        told |= {"MIG slice": gpu.mig, "clocks held by": list(reason_names(state.mask)) if state.mask is not None else []}
    return Finding(name="board", verdict="pass", reason=f"{state.sm_mhz} of {gpu.max_sm_mhz} MHz", figures=told)


def blocks(device: str, backends: Sequence[str]) -> Iterator[Finding]:
    """One linear layer of each backend, replayed and judged, and what computes an interaction of it."""
    session = Session(Options(model=MODEL, systems=(SYSTEM,), device=device, backends=tuple(backends), formats=(FLOAT32.name,), blocks=(BLOCK,)))
    for name in backends:
        done = attempt(lambda name=name: _replayed(session, name))  # type: ignore[misc]  # a loop's variable, bound
        yield _block(name, session, done)


def _replayed(session: Session, backend: str) -> tuple[Record, BackendModel | Unsupported]:
    return session.check(SYSTEM).replayed(CellKey(SYSTEM, BLOCK, backend, FLOAT32.name, FORWARD), FLOAT32), session.backend(backend)


def _block(backend: str, session: Session, done: tuple[Record, BackendModel | Unsupported] | Raised) -> Finding:
    about = {"name": f"block of {backend}", "backend": backend, "format": FLOAT32.name}
    if isinstance(done, Raised):
        return Finding.model_validate({**about, "verdict": "fail", "reason": f"raised {done.text}"})
    record, model = done
    figures: dict[str, Value] = {"ratio": record.ratio, "limit": record.limit}
    if not isinstance(model, Unsupported):
        inside = implementations(model.module(session.library(SYSTEM).block(COMPOSITE)), model.packages)
        figures["runs"] = sorted({f"{one.path}: {one.class_name} {one.method or one.kernel}".strip() for one in inside})
        figures["fused convolution"] = any(one.fused for one in inside)
        figures["fallen back"] = sorted({f"{one.path}: {one.degraded}" for one in inside if one.degraded})
    own = {"verdict": record.verdict, "reason": record.reason or record.note, "lacking": record.lacking, "figures": figures}
    return Finding.model_validate({**about, **own})
