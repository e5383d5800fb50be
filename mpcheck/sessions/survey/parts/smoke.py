"""Whether the device computes at all, and how: what decides whether any other part is worth its time."""

from __future__ import annotations

from mpcheck._names import REFERENCE_BACKEND
from mpcheck.survey.part import Cost, Part

PARTS = (
    Part(
        name="smoke",
        subject="smoke",
        title="imports, versions, driver, clocks, kernels that load, one block of each backend",
        order=10,
        cost={"cuda": Cost(30, 60), "cpu": Cost(40), "toy": Cost(25, 900)},
        module="mpcheck.survey.probes.smoke",
        words=("{device}", "{out}"),
        toy=("{device}", "{out}", REFERENCE_BACKEND),
    ),
    Part(
        name="tensor-cores",
        subject="smoke",
        title="how a matrix product adds up: width of the accumulator, truncation, and what reduced reductions change",
        order=11,
        cost={"cuda": Cost(12, 40), "cpu": Cost(8), "toy": Cost(5, 900)},
        module="mpcheck.survey.probes.tensor_cores",
        words=("{device}", "{out}"),
        toy=("{device}", "{out}"),
    ),
)
