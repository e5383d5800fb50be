"""Small valid files of every kind that commands and readers take."""

from __future__ import annotations

import datetime
from pathlib import Path

import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from safetensors.torch import save_file

from mpcheck._names import LATENCY
from mpcheck.adapters.load import load_model
from mpcheck.checks.golden import save_golden
from mpcheck.history.compare import compare
from mpcheck.history.comparison_file import write_comparison
from mpcheck.history.gates import append_gate, entry_of
from mpcheck.history.latency.aa_rate import AARate, aa_path, store_aa
from mpcheck.history.latency.baseline import write_baseline as write_latencies
from mpcheck.history.latency.history import append
from mpcheck.history.latency.history import entry_of as latencies_entry
from mpcheck.history.ratios import Baseline, write_baseline
from mpcheck.judge.tolerances import packaged
from mpcheck.records.document import write_records
from mpcheck.records.read import Results
from mpcheck.reference.store import Store
from mpcheck.sessions.registry import sessions
from tests.unit import bench_samples, report_samples
from tests.unit.record_samples import cell, finding, findings, quantity, results, run

KEY = "0123456789abcdef01234567"
"""Of references in a cache."""
TINY = """\
schema_version: 1
name: tiny
elements: [H, O]
atomic_energies: {H: -13.6, O: -27.2}
r_max: 3.0
num_bessel: 2
max_ell: 1
hidden_irreps: 2x0e + 2x1o
MLP_irreps: 2x0e
correlation: 2
num_interactions: 2
radial_MLP: [4]
avg_num_neighbors: 2.0
"""
SETTINGS = """\
# how this repository is gated
[gate]
base = "origin/main"
install = "pip install --no-deps -e ."
model = "builtin:hco"
systems = ["structures/water.xyz", "structures/md.extxyz@::10"]
blocks = ["interactions.*"]
sessions = ["precision", "bench"]
margin = 0.05
timeout = 3600.0

[gate.bench]
formats = ["float32"]
launches = 6
"""
FAULTS = """\
schema_version: 1
faults:
  - id: a fault
    package: mace-torch
    versions: "<=0.3.16"
    check: precision
    says: ratio
    evidence: measured on a machine with so many threads
"""


def small(document: Results) -> Results:
    """The first rows of each session: what is mutated must be short for a mutation to matter."""
    others = [spec for spec in sessions().values() if spec.name not in document.documents]
    few = {spec.name: report_samples.findings(spec.name, [report_samples.finding(spec.checks[0])]) for spec in others if spec.checks}
    return Results(few | {name: found.model_copy(update={"records": found.records[:3]}) for name, found in document.documents.items()})


def write_session(directory: Path, document: Results) -> None:
    """Records of every session by their names."""
    for name, found in document.documents.items():
        path = directory / f"{name}.json"
        write_records(path, found)


def write_seeds(root: Path) -> None:
    """Everything; seconds, because of one tiny model."""
    red, green = small(report_samples.red()), small(report_samples.green())
    write_session(root / "records", red)
    write_session(root / "others", green)
    write_comparison(root / "comparison.json", compare(green, red))
    shards = {"shard": "1/2", "shard_rows": {"records": ["0-1:1"]}}
    write_records(root / "shard.json", run(cell("a"), cell("b", verdict="fail", reason="ratio"), options=shards))
    timed = finding("a", check=LATENCY, figures={"effect": 0.1})
    write_records(root / "bench.json", findings("bench", timed, env={"device_slug": bench_samples.SLUG}))
    entry: list[float] = [0.7, 0.0, 0.01, 0.01]
    head = {"suite": "precision", "device": "cpu", "provenance": {}, "model": {"digest": "d"}, "systems": {}, "seed": 0}
    write_baseline(root / "baseline.json", Baseline.model_validate({"schema_version": 1, "cells": {"c": {"out": entry}}, **head}))
    _write_latencies(root)
    _write_gates(root)
    (root / "limits.yaml").write_text(packaged("limits.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (root / "derived.yaml").write_text("\n".join(packaged("hco.yaml").read_text(encoding="utf-8").split("\n")[:30]) + "\n", encoding="utf-8")
    for name, text in {"tiny.yaml": TINY, "mpcheck.toml": SETTINGS, "faults.yaml": FAULTS}.items():
        (root / name).write_text(text, encoding="utf-8")
    _write_structures(root)
    _write_tensors(root)


def _write_latencies(root: Path) -> None:
    figures = bench_samples.baseline()
    write_latencies(root / "figures.json", figures)
    for day in range(1, 13):
        date = f"2026-02-{day:02}T12:00:00+00:00"
        append(root / "bench-history.jsonl", latencies_entry(bench_samples.baseline(commit=f"{day:012x}", date=date), "run"))
    rate = AARate(
        commit="c", date="2026-01-31T12:00:00+00:00", mode="stored", comparisons=100, alarms=1, nominal=0.01
    )  # fmt: skip
    store_aa(aa_path(root, bench_samples.SLUG), bench_samples.device(), rate)


def _write_gates(root: Path) -> None:
    for day in range(3):
        date = (datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=day)).isoformat()
        made = results(run(cell(quantities=[quantity(rms=0.5)]), env={"commit": f"{day:012x}", "date": date}))
        append_gate(root / "gate-history.jsonl", entry_of(made))


def _write_structures(root: Path) -> None:
    frames = [molecule("H2O"), molecule("H2O", cell=[6, 6, 6], pbc=True), Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])]
    frames[1].arrays["forces"] = frames[1].positions * 0.5
    write(root / "frames.extxyz", frames)
    crystal = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    crystal.numbers[crystal.numbers == 12] = 1
    write(root / "crystal.cif", crystal)


def _write_tensors(root: Path) -> None:
    model = load_model(str(root / "tiny.yaml")).module
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, root / "weights.safetensors")
    torch.save(model.state_dict(), root / "weights.pt")
    tensors = {"energy": torch.ones(1, dtype=torch.float64)}
    frame = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    save_golden((root / "golden.safetensors", root / "golden.json"), (frame,), tensors, tensors, {"model": "m"})
    Store(root / "cache", KEY).save("entry", {"out": torch.ones(3)}, {"note": "x"})
