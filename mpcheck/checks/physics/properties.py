"""Physics that holds without a reference: of a whole model in float64, on every backend.

A model whose blocks each agree with themselves may still be wrong as a whole: forces that are not the energy's gradient,
a stress over another cell's volume, node energies that lost their E0. Nothing here is compared with stored numbers.
"""

from __future__ import annotations

from mpcheck.checks.physics import closed_forms, directions, forces, ghosts, graph_strides, heads, repeats, second, shape, strides, sums
from mpcheck.checks.physics.property import Property, inspection, without_periodicity

NAME = "physics"

PROPERTIES: dict[str, Property] = {
    "finite-difference": Property(forces.finite_difference, every_head=True),
    "stress": Property(forces.stress, every_head=True),
    "node-energies": Property(sums.node_energies, every_head=True),
    "net-force": Property(sums.net_force, every_head=True),
    "torque": Property(sums.torque, accepts=without_periodicity, every_head=True),
    "batch": Property(sums.batch, "kinds"),
    "heads": Property(heads.heads, "one", applies=heads.several),
    "repeat": Property(repeats.repeat, "one"),
    "strided": Property(strides.strided, "one"),
    "strided-model": Property(graph_strides.strided_model, "own"),
    "directions": Property(directions.directions, "own"),
    "second-derivatives": Property(second.second_derivatives, "own"),
    "closed-forms": Property(closed_forms.closed_forms, "one"),
    "ghosts": Property(ghosts.ghosts, "kinds"),
    "ghost-classes": Property(ghosts.ghost_classes, "own"),
    "smoothness": Property(shape.smoothness, "own"),
    "edges": Property(shape.edges, "own"),
    "empty": Property(shape.empty, "own"),
    "indices": Property(shape.indices, "own"),
}


ONCE = ("indices", "ghost-classes")  # of upstream's own modules, whatever the backend

INSPECTION = inspection(NAME, PROPERTIES, ONCE)
