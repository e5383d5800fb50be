"""What a structure takes is told from parts of it, and holds for all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ase.build import bulk

from mpcheck.adapters.footprint import BACKWARD, forces_bytes, kept_bytes
from mpcheck.adapters.graph import make_graph
from mpcheck.reference.cut import cut
from mpcheck.sessions.run import Session


def graph_of(session: Session, size: int) -> dict[str, torch.Tensor]:
    frame = bulk("C", "diamond", 3.57, cubic=True) * (size, size, size)
    return make_graph([frame], session.model.elements, session.model.r_max)


def test_parts_tell_what_the_whole_keeps(session: Session) -> None:
    model = session.reference_backend.model
    whole = graph_of(session, 3)
    atoms, edges = len(whole["positions"]), whole["edge_index"].shape[1]
    told = forces_bytes(model, [cut(whole, 0, edges // 16), cut(whole, 0, edges // 4)], atoms, edges)
    assert told == pytest.approx(BACKWARD * kept_bytes(model, whole), rel=0.25)
    twice = forces_bytes(model, [cut(whole, 0, edges // 16), cut(whole, 0, edges // 4)], 2 * atoms, 2 * edges)
    assert twice == pytest.approx(2 * told)


def test_parameters_are_not_counted(session: Session) -> None:
    model = session.reference_backend.model
    own = sum(t.untyped_storage().nbytes() for t in (*model.parameters(), *model.buffers()))
    assert kept_bytes(model, graph_of(session, 1)) < own + 1e8


def test_parts_that_do_not_tell_atoms_from_edges_overestimate(session: Session) -> None:
    model, one = session.reference_backend.model, graph_of(session, 2)
    atoms, edges = len(one["positions"]), one["edge_index"].shape[1]
    assert forces_bytes(model, [one, one], 4 * atoms, 4 * edges) == pytest.approx(4 * BACKWARD * kept_bytes(model, one), rel=0.01)


CALL = """
import torch
torch.set_num_threads(1)
from ase.build import bulk
from mpcheck.adapters.footprint import forces_bytes
from mpcheck.adapters.graph import make_graph
from mpcheck.policy.evaluation import evaluate
from mpcheck.reference.cut import cut
from mpcheck.sessions.run import Options, Session
session = Session(Options())
model = session.reference_backend.model
def graph(size):
    return make_graph([bulk("C", "diamond", 3.57, cubic=True) * (size, size, size)], session.model.elements, session.model.r_max)
whole = graph(5)
evaluate(model, graph(1))
def peak():  # of this process alone: what getrusage tells begins with that of the one that started it
    return 1024.0 * next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before, parts = peak(), [cut(whole, 0, 1024), cut(whole, 0, 4096)]
told = forces_bytes(model, parts, len(whole["positions"]), whole["edge_index"].shape[1])
evaluate(model, whole)
print(told, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak as Linux counts it")
def test_an_energy_and_force_call_takes_about_as_much() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CALL], capture_output=True, text=True, check=True)
    told, took = map(float, done.stdout.split()[-2:])
    assert 0.7 * took < told < 3 * took, f"{told / 1e9:.2f} GB were told, {took / 1e9:.2f} GB taken"
