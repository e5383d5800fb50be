"""OpenEquivariance: whether it loads and multiplies, then models with it, alone and beside cuEquivariance.

Its kernels are compiled at their first call, per layer and type, which is most of what these parts take.
"""

from __future__ import annotations

from mpcheck._names import CONVOLVED, HYBRID
from mpcheck.formats import F32, F64
from mpcheck.survey.part import SMALL, Cost, Part

TYPES = ("--format", F64, "--format", F32)
LAYER = ("--block", "interactions.1", "--format", F32)

PARTS = (
    Part(
        name="openequivariance",
        subject=CONVOLVED,
        title="OpenEquivariance: whether it loads, and small products of it are e3nn's",
        order=24,
        cost={"cuda": Cost(60, 240), "cpu": Cost(15), "toy": Cost(15, 900)},
        module="mpcheck.survey.probes.oeq",
        words=("{device}", "{out}"),
        toy=("{device}", "{out}"),
    ),
    Part(
        name="oeq-cells",
        subject=CONVOLVED,
        title="blocks with a convolution of OpenEquivariance, against computed tolerances",
        order=70,
        cost={"cuda": Cost(60, 200), "toy": Cost(30, 900)},
        kinds=("cuda",),
        session="precision",
        words=(*SMALL, "--backend", CONVOLVED, "--block", "interactions.?", *TYPES),
        toy=(*SMALL, "--backend", CONVOLVED, *LAYER),
    ),
    Part(
        name="oeq-engagement",
        subject=CONVOLVED,
        title="its kernels really run, also in upstream's hybrid with cuEquivariance",
        order=71,
        cost={"cuda": Cost(70, 200), "toy": Cost(30, 900)},
        kinds=("cuda",),
        session="audit",
        words=(*SMALL, "--check", "engagement", "--backend", CONVOLVED, "--backend", HYBRID, "--block", "interactions.*", *TYPES),
        toy=(*SMALL, "--check", "engagement", "--backend", CONVOLVED, "--backend", HYBRID, *LAYER),
        keeps=("engagement",),
    ),
    Part(
        name="oeq-hybrid-cells",
        subject=CONVOLVED,
        title="blocks of upstream's hybrid: convolutions of OpenEquivariance, all else of cuEquivariance",
        order=72,
        cost={"cuda": Cost(90, 220)},
        kinds=("cuda",),
        session="precision",
        words=(*SMALL, "--backend", HYBRID, *TYPES),
    ),
    Part(
        name="oeq-conversions",
        subject=CONVOLVED,
        title="layouts of both backends, and conversions there and back",
        order=74,
        cost={"cuda": Cost(120, 240)},
        kinds=("cuda",),
        session="symmetry",
        words=(*SMALL, "--check", "conversion", "--check", "layout", "--backend", CONVOLVED, "--backend", HYBRID, *TYPES),
    ),
)
