"""Architectures drawn at random: every constructor argument that an architecture file can name, and small throughout."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st

from tests.fuzz.cases import Case
from tests.fuzz.structures import batches

POOL = ("H", "C", "N", "O", "Si", "Cl", "Cu", "Au")
"""Elements from the first row to the last: atomic numbers and covalent radii enter ZBL and the distance transforms."""
INTERACTIONS = (
    *("RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock", "RealAgnosticDensityInteractionBlock") * 2,
    *("RealAgnosticDensityResidualInteractionBlock", "RealAgnosticResidualNonLinearInteractionBlock") * 2,
    "RealAgnosticAttResidualInteractionBlock",  # its MLP is 256 wide whatever is asked for, which takes a minute
)
DEAREST = 6  # max_ell + correlation, and interactions, that a tiny model builds and captures in seconds
SOMETIMES = st.integers(0, 5).map(lambda n: n == 5)
RARELY = st.integers(0, 19).map(lambda n: n == 19)


@st.composite
def hidden(draw: st.DrawFn, max_ell: int) -> str:
    """Hidden irreps: one multiplicity, 1 to 5; any l above 0 may be missing; both parities now and then.

    Upstream's product basis gives as many channels of every l as there are scalars, so that unequal multiplicities cannot run;
    they are drawn rarely, to see that they are refused in words.
    """
    channels = draw(st.integers(1, 5))
    parts = [f"{channels}x0e"]
    if draw(RARELY):
        parts.append(f"{channels}x0o")
    for degree in range(1, max_ell + 1):
        if draw(st.booleans()):
            parts.append(f"{draw(st.integers(1, 5)) if draw(RARELY) else channels}x{degree}{'eo'[degree % 2]}")
        if draw(RARELY):
            parts.append(f"{channels}x{degree}{'oe'[degree % 2]}")
    return " + ".join(parts)


@st.composite
def architectures(draw: st.DrawFn) -> dict[str, Any]:
    """One architecture document; upstream may still refuse it, in which case the suite must say so."""
    elements = draw(st.lists(st.sampled_from(POOL), min_size=1, max_size=5, unique=True))
    max_ell, correlation, layers = draw(
        st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from((1, 1, 2, 2, 3))).filter(lambda t: t[0] + t[1] + t[2] <= DEAREST)
    )
    found: dict[str, Any] = {
        "schema_version": 1,
        "name": "fuzz",
        "model": draw(st.sampled_from(("ScaleShiftMACE", "MACE"))),
        "elements": elements,
        "atomic_energies": {s: draw(st.integers(-2000_00, 100_00)) / 100 for s in elements},
        "r_max": draw(st.integers(20, 50)) / 10,
        "num_bessel": draw(st.integers(1, 6)),
        "num_polynomial_cutoff": draw(st.integers(2, 8)),
        "max_ell": max_ell,
        "hidden_irreps": draw(hidden(max_ell)),
        "MLP_irreps": f"{draw(st.integers(1, 5))}x0e",
        "correlation": correlation,
        "num_interactions": layers,
        "interaction_cls_first": draw(st.sampled_from(INTERACTIONS)),
        "interaction_cls": draw(st.sampled_from(INTERACTIONS)),
        "radial_type": draw(st.sampled_from(("bessel", "gaussian", "chebyshev"))),
        "radial_MLP": draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)),
        "distance_transform": draw(st.sampled_from(("None", "None", "Agnesi", "Soft"))),
        "gate": draw(st.sampled_from(("silu", "tanh", "abs", "none"))),
        "avg_num_neighbors": draw(st.integers(5, 600)) / 10,
        "pair_repulsion": draw(SOMETIMES),
        "use_agnostic_product": draw(SOMETIMES),
        "use_last_readout_only": layers > 1 and draw(SOMETIMES),  # a single layer has no other readout
        "apply_cutoff": not draw(SOMETIMES),
        "weights_seed": draw(st.integers(0, 999)),
    }
    if found["model"] == "ScaleShiftMACE":
        found |= {"atomic_inter_scale": draw(st.integers(-300, 300)) / 100 or 1.0, "atomic_inter_shift": draw(st.integers(-300, 300)) / 100}
    heads = draw(st.sampled_from((None, None, ["Default"], ["pbe", "r2scan"])))
    return found if heads is None else {**found, "heads": heads}


def cheap_twin(architecture: dict[str, Any]) -> bool:
    """Whether the cueq twin takes few seconds to build: its symmetric contractions are what takes long."""
    return architecture["correlation"] <= 2 and architecture["max_ell"] <= 2 and architecture["num_interactions"] <= 2


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One case."""
    architecture = draw(architectures())
    frames = draw(batches(architecture["elements"], architecture["r_max"]))
    twin = cheap_twin(architecture) and draw(st.booleans())
    return Case(backends=["e3nn", "cueq"] if twin else ["e3nn"], seed=draw(st.integers(0, 99)), architecture=architecture, frames=frames)
