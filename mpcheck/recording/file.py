"""The file of recorded calls, written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

import mpcheck
from mpcheck._files.documents import dumps
from mpcheck._files.io import atomic_path
from mpcheck._files.stored import now
from mpcheck._packages import versions
from mpcheck.adapters.graph import model_elements
from mpcheck.recording.calls import Recorder
from mpcheck.systems.recorded import HEADER, SCHEMA, Header, RecordedModel


def described(model: torch.nn.Module) -> RecordedModel:
    """The model that is recorded, as it is before its first call."""
    state = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            state.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
            state.update(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    r_max: Any = model.r_max
    first = next(model.parameters(), None)
    return RecordedModel(
        kind=type(model).__name__, sha256=state.hexdigest(), elements=model_elements(model),
        heads=[str(head) for head in (getattr(model, "heads", None) or ["Default"])], r_max=float(r_max),
        dtype=str(first.dtype).removeprefix("torch.") if first is not None else "none", device=str(first.device) if first is not None else "none",
        by=sorted({type(module).__module__.partition(".")[0] for module in model.modules()}),
    )  # fmt: skip


def write(target: Path, recorder: Recorder, model: RecordedModel) -> None:
    """Write what was recorded.

    Raises:
        InputError: the place cannot be written.
    """
    calls = [call for call, _ in recorder.stored]
    header = Header(
        schema_version=SCHEMA, mpcheck=mpcheck.__version__, packages=versions(), date=now(), model=model, every=recorder.every, seen=recorder.seen,
        ended=recorder.ended, calls=calls,
    )  # fmt: skip
    tensors = {f"{number}.{name}": tensor for number, (_, graph) in enumerate(recorder.stored) for name, tensor in graph.items()}
    with atomic_path(target) as temporary:
        save_file(tensors, temporary, {HEADER: dumps(header.model_dump())})
