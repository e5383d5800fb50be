"""Structures for a model of hydrogen, carbon and oxygen."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from mpcheck._errors import InputError
from mpcheck.adapters.graph import Graph, make_graph
from mpcheck.systems import Structures, resolve_system

HCO = ["H", "C", "O"]
R_MAX = 4.5


def resolve(spec: str, elements: list[str] = HCO, r_max: float = R_MAX, seed: int = 0) -> Structures:
    return resolve_system(spec, elements, r_max, seed)


def graph_of(system: Structures, elements: list[str] = HCO) -> Graph:
    return make_graph(system.frames, elements, R_MAX)


def refusal(spec: str, elements: list[str] = HCO) -> str:
    with pytest.raises(InputError) as caught:
        resolve(spec, elements)
    message = str(caught.value)
    assert "\n" not in message
    return message


def shortest(frame: Atoms) -> float:
    return float(np.min(neighbor_list("d", frame, 2.0), initial=np.inf))
