"""What a cost model reads from a model is what the model was built with."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.architecture import Architecture, constructor_arguments
from mpcheck.adapters.facts.architecture import Contraction, Convolution, Harmonics, RadialBasis, RadialMlp, architecture_facts, mirrored
from mpcheck.adapters.upstream import mace
from tests.unit.adapters.samples import ARCHITECTURE


def test_facts_are_the_architecture_s(tiny: torch.nn.Module) -> None:
    facts = {f.block: f for f in architecture_facts(tiny)}
    assert len(facts) == len(architecture_facts(tiny)), "a block has one"
    assert facts["spherical_harmonics"] == Harmonics("spherical_harmonics", ARCHITECTURE["max_ell"])  # type: ignore[arg-type]
    assert facts["radial_embedding.bessel_fn"] == RadialBasis("radial_embedding.bessel_fn", ARCHITECTURE["num_bessel"])  # type: ignore[arg-type]
    mlp, conv, contraction = (facts[n] for n in ("interactions.1.conv_tp_weights", "interactions.1.conv_tp", "products.0.symmetric_contractions"))
    assert isinstance(mlp, RadialMlp) and isinstance(conv, Convolution) and isinstance(contraction, Contraction)
    assert mlp.widths[:2] == (3, 4)
    assert mlp.widths[-1] == sum(path.channels for path in conv.paths), "a weight for each path and channel"
    assert {(p.l1, p.l2, p.l3) for p in conv.paths} == {(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)}, "those of even parity"
    assert (contraction.channels, contraction.components, contraction.elements) == (3, 4, 2)
    assert [o.L for o in contraction.outputs] == [0, 1]
    assert all([n.order for n in o.orders] == [1, 2] for o in contraction.outputs)


@pytest.mark.parametrize("use_so3", [False, True])
def test_only_models_of_one_parity_have_no_mirror_image(use_so3: bool, tiny: torch.nn.Module) -> None:
    arguments = constructor_arguments(Architecture.model_validate(ARCHITECTURE))
    assert mirrored(mace.modules.ScaleShiftMACE(**arguments, use_so3=use_so3)) is not use_so3
    del tiny.use_so3  # as in a file of an older release
    try:
        assert mirrored(tiny)
    finally:
        tiny.use_so3 = False
