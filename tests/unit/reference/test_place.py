"""Where references are made: on a GPU of fast float64, else on its host; and what is made elsewhere serves the device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._cuda import standing_in
from mpcheck.reference.library import Library
from mpcheck.reference.place import place_of
from mpcheck.sessions.run import Options, Session
from tests.fakes.cuda import FakeCuda

SYSTEM, BLOCK = "builtin:water", "interactions.1.linear"
CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


@pytest.mark.parametrize(
    ("capability", "asked", "place"),
    [
        ((9, 0), "", "cuda"), ((8, 0), "", "cuda"), ((8, 6), "", "cpu"), ((8, 9), "", "cpu"), ((7, 5), "", "cpu"), ((12, 0), "", "cpu"),
        ((13, 0), "", "cpu"),  # not known yet
        ((9, 0), "host", "cpu"), ((8, 6), "device", "cuda"),
    ],
)  # fmt: skip
def test_a_gpu_of_fast_float64_makes_them_itself(capability: tuple[int, int], asked: str, place: str) -> None:
    cuda = FakeCuda()
    cuda.capability = capability
    with standing_in(cuda):
        assert place_of(CUDA, asked).type == place
    assert place_of(CPU, asked) == CPU


def test_where_there_is_no_gpu() -> None:
    cuda = FakeCuda()
    cuda.available = False
    with standing_in(cuda):
        assert place_of(CUDA) == CPU


def test_references_of_a_host_serve_the_device(session: Session, tmp_path: Path) -> None:
    """The same key and the same bits, on the device that is judged; ``meta`` stands for a GPU. What is emulated is of that device."""
    spec, graph = session.reference_spec(SYSTEM), session.graph(SYSTEM)
    here = Library(session.reference_backend, graph, spec, tmp_path)
    there = Library(session.reference_backend, graph, spec, tmp_path, device=torch.device("meta"))
    own, moved = here.get(BLOCK), there.get(BLOCK)
    assert there.store.path == here.store.path
    for tensors, others in ((own.inputs, moved.inputs), (own.values, moved.values), *((own.noise[n], moved.noise[n]) for n in own.noise)):
        assert {n: t.shape for n, t in tensors.items()} == {n: t.shape for n, t in others.items()}
        assert {t.device.type for t in others.values()} == {"meta"} and {t.device.type for t in tensors.values()} == {"cpu"}
    here.emulated(BLOCK, torch.bfloat16)
    assert sorted(p.name for p in here.store.path.glob(f"{BLOCK}.rounded*.safetensors")) == [f"{BLOCK}.rounded.bfloat16.safetensors"]


def test_a_session_says_where(tmp_path: Path) -> None:
    session = Session(Options(systems=(SYSTEM,), references="host", cache=tmp_path))
    assert session.builder is session.reference_backend and session.reference_spec(SYSTEM).device == "cpu"
