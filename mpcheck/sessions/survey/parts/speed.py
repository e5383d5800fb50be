"""Latency, launches, memory and energy; where the time goes; how both grow."""

from __future__ import annotations

from mpcheck._names import COST_MODEL, FIRST_CALL, LATENCY, PROFILE, REFERENCE_BACKEND, SWEEP
from mpcheck.formats import BF16, F32, F64, TF32_NAME
from mpcheck.survey.part import SMALL, Cost, Part

SHORT = ("--backend", REFERENCE_BACKEND, "--format", F32)
CARBON = "recipe:canonical:C"
TIMED = (LATENCY, FIRST_CALL)

PARTS = (
    Part(
        name="latency",
        subject="speed",
        title="every block of the built-in model: the stored latencies of this device",
        order=40,
        cost={"cuda": Cost(100, 160), "cpu": Cost(900, 2000), "toy": Cost(25, 900)},
        timed=True,
        session="bench",
        words=("builtin:hco", "--baselines", "{out}/baselines", "--launches", "3", "--seconds", "60"),
        toy=(*SMALL, *SHORT, "--baselines", "{out}/baselines", "--block", "interactions.1.linear", "--launches", "2", "--seconds", "1"),
        leaves=("bench-figures.json",),
        adopted=("bench-figures.json",),
        keeps=TIMED,
    ),
    Part(
        name="map",
        subject="speed",
        title="where the canonical model's time goes, block by block, beside what it must cost",
        order=42,
        cost={"cuda": Cost(60, 120), "cpu": Cost(200)},
        timed=True,
        session="profile",
        words=(CARBON, "--system", "builtin:diamond:3", "--format", F32, "--format", F64),
        keeps=(PROFILE, LATENCY, COST_MODEL),
    ),
    Part(
        name="crystals",
        subject="speed",
        title="the canonical model on diamond up to about 4,000 atoms: latency, launches, memory, joules",
        order=44,
        cost={"cuda": Cost(80, 150), "cpu": Cost(900, 1800)},
        timed=True,
        session="bench",
        words=(
            CARBON, "--system", "builtin:diamond:2", "--system", "builtin:diamond:8", "--block", "model", "--baselines", "{out}/baselines",
            "--launches", "2", "--seconds", "40", "--format", F64, "--format", F32, "--format", TF32_NAME, "--format", BF16,
        ),
        keeps=TIMED,
    ),
    Part(
        name="sweep",
        subject="speed",
        title="e3nn against cuEquivariance over batch size and angular order",
        order=46,
        cost={"cuda": Cost(90, 160), "cpu": Cost(140, 300), "toy": Cost(25, 900)},
        timed=True,
        session="profile",
        words=("builtin:hco", "--sweep", "--sweep-seconds", "60", "--work", "energy", "--calls", "4"),
        toy=(*SMALL, *SHORT, "--work", "energy", "--calls", "2", "--warmup", "1", "--sweep", "--sweep-seconds", "5"),
        keeps=(SWEEP,),
    ),
    Part(
        name="false-alarms",
        subject="gate",
        title="how often this machine calls identical code slower: whether it may gate",
        order=90,
        cost={"cuda": Cost(420, 800), "cpu": Cost(900, 3600)},
        timed=True,
        module="mpcheck.cli.main",
        words=("bench", "builtin:hco", "--calibrate", "stored", "--device", "{device}", "--baselines", "{out}/baselines", "--block", "model"),
        leaves=("baselines/*/aa.json",),
        adopted=("baselines/*/aa.json",),
    ),
)  # fmt: skip
