"""Made-up figures of two benchmarks on a made-up machine."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from mpcheck.bench.decide.outcomes import Standing
from mpcheck.bench.decide.verdicts import STORED, stored_findings
from mpcheck.bench.figures import BenchFigures, Fingerprint, Launch
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.launch.measurement import Measurement
from mpcheck.history.latency.baseline import BenchBaseline, Model, Provenance
from mpcheck.history.latency.device import DeviceKey
from mpcheck.records.record import Record

SLUG = "cpu-made-up-avx2"
LINEAR, MODEL = "builtin:water*1/products.0.linear-e3nn-float32-forward", "builtin:water*4/model-cueq-float64-energy+forces"
PRINT = Fingerprint(operations={"aten.mm": 3, "aten.add": 1}, launches=4, multiply_adds=1000, bytes_moved=4096, peak_bytes=512)

WATER, HERE = BenchKey("builtin:water", 1, "products.0.linear", "e3nn", "float32", "forward"), Standing()
WOBBLE = (-0.002, 0.001, 0.0, 0.002, -0.001, 0.0015, -0.0015, 0.0005)


def device(**changes: Any) -> DeviceKey:
    fields: dict[str, Any] = {
        "slug": SLUG, "kind": "cpu", "name": "Made Up", "capability": "AVX2", "packages": {"torch": "2.13.0", "e3nn": "0.4.4"}, "threads": 1,
    }  # fmt: skip
    return DeviceKey(**{**fields, **changes})


def figures(milliseconds: float, machine: float = 1.0, cost: Fingerprint | None = PRINT, launches: int = 3) -> BenchFigures:
    """A call of so many milliseconds, 10 and 20 yardsticks a millisecond, on a machine slower by a factor at that time."""
    made = []
    for i in range(launches):
        ms = milliseconds * (1 + 0.001 * i)
        quantiles = [ms * machine * q / 1000 for q in (0.98, 0.99, 1.0, 1.02, 1.1)]
        normalised = {"all": 10 * ms, "matmul": 20 * ms}
        made.append(Launch(quantiles=quantiles, normalised=normalised, rounds=20, calls=5, first_call=2 * quantiles[-1]))
    return BenchFigures(launches=made, fingerprint=cost)


def baseline(
    cells: dict[str, BenchFigures] | None = None, commit: str = "aaaaaaaaaaaa", date: str = "2026-01-31T12:00:00+00:00", **changes: Any
) -> BenchBaseline:
    fields: dict[str, Any] = {
        "device": device(),
        "provenance": Provenance(commit=commit, date=date, mpcheck="0.3.0", launches=3, rounds=20),
        "model": Model(name="builtin:hco", digest="d" * 64),
        "systems": {"builtin:water": "w" * 64},
        "options": {"seed": 0, "l2": True},
        "cells": cells or {LINEAR: figures(1.0), MODEL: figures(30.0)},
    }
    return BenchBaseline(**{**fields, **changes})


def launches(units: float, count: int = 8, wobble: float = 1.0, kernel: str = "all") -> list[Launch]:
    """Launches of so many yardsticks a call, a millisecond each."""
    made = []
    for i in range(count):
        value = units * math.exp(wobble * WOBBLE[i % len(WOBBLE)])
        made.append(Launch(quantiles=[value * 1e-3] * 5, normalised={kernel: value}, rounds=24, calls=3, first_call=1.0))
    return made


def measurement(units: float, cost: Fingerprint | None = PRINT, **changes: Any) -> Measurement:
    """Eight launches of one benchmark."""
    prints = {} if cost is None else {WATER.id: cost}
    return Measurement(launches={WATER.id: launches(units, **changes)}, fingerprints=prints, processes=8)


def against(now: Measurement, base: list[Launch] | None, cost: Fingerprint | None = PRINT, standing: Standing = HERE) -> list[Record]:
    """What they come to against stored ones."""
    cells = None if base is None else {WATER.id: BenchFigures(launches=base, fingerprint=cost)}
    return stored_findings([WATER], now, cells, "nothing is stored", replace(STORED, between_occasion_sd=0.0), standing)[WATER.id]
