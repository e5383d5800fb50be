"""Whether the kernels that were asked for ran."""

from __future__ import annotations

from mpcheck._names import REFERENCE_BACKEND, UNFUSED
from mpcheck.formats import F32
from mpcheck.survey.part import SMALL, Cost, Part

ONE = ("--block", "interactions.1.linear", "--format", F32, "--backend", REFERENCE_BACKEND)

PARTS = (
    Part(
        name="engagement",
        subject="kernels",
        title="each kernel of cuEquivariance that MACE can use really runs, per format",
        order=20,
        cost={"cuda": Cost(60, 120), "cpu": Cost(120), "toy": Cost(20, 900)},
        session="audit",
        words=(*SMALL, "--check", "engagement"),
        toy=(*SMALL, "--check", "engagement", *ONE),
        keeps=("engagement",),
    ),
    Part(
        name="engagement-unfused",
        subject="kernels",
        title="the same with convolutions and their message scatter apart",
        order=22,
        cost={"cuda": Cost(50, 110)},
        kinds=("cuda",),
        session="audit",
        words=(*SMALL, "--check", "engagement", "--backend", UNFUSED),
        keeps=("engagement",),
    ),
)
