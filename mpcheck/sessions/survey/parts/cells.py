"""Cells of every format and backend, symmetry, accumulation, and the ratios that a gate compares with."""

from __future__ import annotations

from mpcheck._names import REDUCED_VARIABLE, REFERENCE_BACKEND, UNFUSED
from mpcheck.formats import BF16, F16, F32
from mpcheck.survey.part import SMALL, Cost, Part

ONE = ("--block", "interactions.1.linear", "--backend", REFERENCE_BACKEND, "--format", F32, "--format", BF16)

PARTS = (
    Part(
        name="cells",
        subject="precision",
        title="every block of the built-in model at five formats, TF32 in hardware among them, against computed tolerances",
        order=30,
        cost={"cuda": Cost(110, 200), "cpu": Cost(400), "toy": Cost(20, 900)},
        cores=4,
        session="precision",
        words=(*SMALL, "--workers", "4"),
        toy=(*SMALL, *ONE),
    ),
    Part(
        name="cells-unfused",
        subject="precision",
        title="blocks of layers with convolutions and their message scatter apart, which fused ones are compared with",
        order=33,
        cost={"cuda": Cost(60, 120)},
        kinds=("cuda",),
        cores=2,
        session="precision",
        words=(*SMALL, "--backend", UNFUSED, "--block", "interactions.*", "--workers", "2"),
    ),
    Part(
        name="cells-full-sums",
        subject="precision",
        title="blocks in 16 bits where CUDA must not keep partial sums in 16 bits (reduced-precision reductions off)",
        order=37,
        cost={"cuda": Cost(60, 120)},
        kinds=("cuda",),
        cores=2,
        session="precision",
        words=(*SMALL, "--format", BF16, "--format", F16, "--workers", "2"),
        variables={REDUCED_VARIABLE: "off"},
    ),
    Part(
        name="cells-canonical",
        subject="precision",
        title="the same of the canonical architecture, 128 channels, random weights",
        order=32,
        cost={"cuda": Cost(120, 220), "cpu": Cost(900)},
        cores=4,
        session="precision",
        words=("recipe:canonical", "--system", "builtin:water", "--workers", "4"),
    ),
    Part(
        name="symmetry",
        subject="precision",
        title="equivariance, layouts and conversions",
        order=34,
        cost={"cuda": Cost(120, 240), "cpu": Cost(400), "toy": Cost(20, 900)},
        session="symmetry",
        words=SMALL,
        toy=(*SMALL, "--check", "equivariance", *ONE),
    ),
    Part(
        name="references",
        subject="precision",
        title="where float64 references are made faster: on the device, or on its host",
        order=35,
        cost={"cuda": Cost(45, 120)},
        kinds=("cuda",),
        timed=True,
        module="mpcheck.survey.probes.references",
        words=("{device}", "{out}"),
    ),
    Part(
        name="accumulation",
        subject="precision",
        title="how sums are kept in 16 bits: number types of every block, saturation",
        order=36,
        cost={"cuda": Cost(90, 180), "cpu": Cost(200)},
        session="audit",
        words=(*SMALL, "--check", "accumulation", "--check", "dtypes"),
    ),
    Part(
        name="ratios",
        subject="precision",
        title="the rounding ratios of this device with their spread between runs: what drift is judged by",
        order=50,
        cost={"cuda": Cost(240, 500), "cpu": Cost(1500, 6000), "toy": Cost(25, 900)},
        cores=2,
        module="mpcheck.sessions.regenerate",
        words=("--only", "baseline", "--device", "{device}", "--baselines", "{out}/baselines", "--repeats", "3"),
        toy=(
            "--only", "baseline", "--device", "{device}", "--baselines", "{out}/baselines", "--repeats", "2", "--system", "builtin:water",
            "--block", "interactions.1.linear", "--backend", REFERENCE_BACKEND,
        ),
        leaves=("baselines/*/precision.json",),
        adopted=("baselines/*/precision.json",),
    ),
)  # fmt: skip
