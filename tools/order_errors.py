"""How far an atom's error differs between orders of atoms and edges in sound whole models: what the limit of 8 stands beside.

    python tools/order_errors.py [MODEL] [ELEMENT ...]

Every structure of the zoo of up to 150 atoms, its elements replaced by the model's, as built and with its atoms moved by 0.1 Å, on e3nn and
cuEquivariance in four formats: the largest ratios, and of how many. Four minutes on a core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from ase.data import atomic_numbers

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the structures are part of the tests

from mpcheck._torch_state import neutral  # noqa: E402
from mpcheck._unsupported import Unsupported  # noqa: E402
from mpcheck.adapters.graph import make_graph  # noqa: E402
from mpcheck.policy.evaluation import evaluate  # noqa: E402
from mpcheck.sessions.precision.outlier import Orders, Outlier  # noqa: E402
from mpcheck.sessions.precision.whole import model_in  # noqa: E402
from mpcheck.sessions.run import Options, Session  # noqa: E402
from tests.zoo.structures import STRUCTURES, build  # noqa: E402

FORMATS = ("float64", "float32", "bfloat16", "float16")
BACKENDS = ("e3nn", "cueq")
MOST_ATOMS = 150
MOVED = (0.0, 0.1)
SHOWN = 6


@neutral()
def main(model: str = "builtin:hco", *elements: str) -> None:
    """Measure and print."""
    session = Session(Options(model=model, systems=("builtin:water",), backends=BACKENDS, formats=FORMATS))
    numbers = [atomic_numbers[name] for name in elements or ("C", "H", "O")]
    made = [(name, fmt, model_in(session, name, fmt)) for name in BACKENDS for fmt in session.formats]
    found: list[tuple[Outlier, str]] = []
    for name in STRUCTURES:
        for sigma in MOVED:
            frame = build(name)
            kinds = sorted(set(frame.numbers))
            frame.numbers = [numbers[kinds.index(number) % len(numbers)] for number in frame.numbers]
            frame.rattle(sigma, seed=len(found))
            graph = make_graph([frame], session.model.elements, session.model.r_max, session.model.heads, session.model.inputs)
            if len(frame) > MOST_ATOMS or not graph["edge_index"].numel():
                continue
            orders, periodic = Orders(graph, len(found)), torch.tensor([bool(frame.pbc.all())])
            exact = evaluate(session.reference_backend.model, orders.graphs[0], periodic=periodic)
            for backend, fmt, whole in made:
                if isinstance(whole, Unsupported):
                    continue
                given = [evaluate(whole, other, periodic=periodic) for other in orders.graphs]
                if all(bool(one.forces.isfinite().all()) for one in given):
                    found.append((orders.worst(exact, given, fmt), f"{name}, moved by {sigma:g} Å, {backend} {fmt.name}"))
    print(f"{model}: {len(found)} evaluations of {len(STRUCTURES)} structures")
    for worst, where in sorted(found, key=lambda one: -one[0].ratio)[:SHOWN]:
        print(f"{worst.ratio:6.2f}  {where}, {worst.quantity} of atom {worst.atom}")


if __name__ == "__main__":
    main(*sys.argv[1:])
