"""Formats of the whole model: what they cost in accuracy and gain in speed."""

from __future__ import annotations

from mpcheck._names import POLICIES, REFERENCE_BACKEND
from mpcheck.formats import F32, F64, TF32_NAME
from mpcheck.survey.part import SMALL, Cost, Part

PARTS = (
    Part(
        name="mixed",
        subject="policies",
        title="float32 with 16-bit linear layers on a crystal of carbon, against float64",
        order=60,
        cost={"cuda": Cost(120, 240), "cpu": Cost(900, 2400), "toy": Cost(35, 900)},
        timed=True,
        session="policy",
        words=(
            "recipe:canonical:C", "--system", "builtin:diamond:3", "--policy", F64, "--policy", F32, "--policy", "linear-fp16",
            "--policy", "linear-bf16", "--policy", TF32_NAME,
        ),
        toy=(*SMALL, "--backend", REFERENCE_BACKEND, "--policy", F32, "--launches", "0"),
        keeps=POLICIES,
    ),
    Part(
        name="searched",
        subject="policies",
        title="every built-in policy, compiled and as CUDA graphs, and the fastest one within the budget",
        order=62,
        cost={"cuda": Cost(240, 420), "cpu": Cost(1200, 3600)},
        timed=True,
        session="policy",
        words=("builtin:hco", "--search", "--variant", "compile", "--variant", "cudagraph"),
        keeps=POLICIES,
    ),
)  # fmt: skip
