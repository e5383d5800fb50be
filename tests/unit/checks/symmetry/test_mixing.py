"""A block of another backend, with adapters, is right and leaves the energy."""

from __future__ import annotations

import pytest

from mpcheck.adapters.backends.mixed import MixedModel
from mpcheck.checks.symmetry import mixing
from mpcheck.checks.symmetry.layouts import judged
from mpcheck.formats import FORMATS
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.sessions.run import Session

SYSTEM = "builtin:water"


def _pair(session: Session) -> tuple[object, object]:
    pair = session.backend("cueq"), session.backend("e3nn")
    if isinstance(pair[0], str):
        pytest.skip(pair[0])
    return pair


@pytest.mark.parametrize("direction", ["cueq+e3nn", "e3nn+cueq"])
@pytest.mark.parametrize("block", ["interactions.1", "products.0", "products.0.symmetric_contractions", "readouts.0.linear"])
def test_a_swapped_block_with_adapters_is_right_and_leaves_the_energy(session: Session, block: str, direction: str) -> None:
    base, donor = _pair(session) if direction.startswith("cueq") else reversed(_pair(session))
    mixed = MixedModel(base, {donor.name: donor}, {block: donor.name})  # type: ignore[attr-defined,arg-type,dict-item]
    reference = session.library(SYSTEM).get(block)
    low = replay(mixed, reference, FORMATS["float64"], FORWARD)  # type: ignore[arg-type]
    assert not judged(low, reference, donor, FORMATS["float64"], session.tolerances).failures  # type: ignore[arg-type]
    _, ratio = mixing.bench(session, 4).shift(mixed, base)  # type: ignore[arg-type]
    assert ratio <= mixing.end_to_end_limit(session)  # type: ignore[arg-type]
