"""Training mode, frozen and dead parameters: what a model computes in other uses than evaluation, in float64, on every backend."""

from __future__ import annotations

from mpcheck.checks.physics.property import Property, inspection
from mpcheck.checks.uses import dead, frozen, training

PROPERTIES: dict[str, Property] = {
    "training": Property(training.training, "own"),
    "frozen": Property(frozen.freezing, "own"),
    "dead-parameters": Property(dead.dead_parameters, "own"),
}

INSPECTION = inspection("modes", PROPERTIES)
