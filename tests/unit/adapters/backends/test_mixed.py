"""Mixed models: what they share, what they equal, and what the command says."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from mpcheck import adapters
from mpcheck._errors import InputError
from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.adapters.backends.mixed import Guest, MixedModel, mismatches
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry import conversions
from mpcheck.reference.noise import ETA, seed_of
from mpcheck.reference.whole_noise import ROUNDOFF, WholeNoise
from mpcheck.sessions.run import Session


def test_importing_the_package_stays_cheap() -> None:
    code = "import sys, mpcheck.adapters; assert 'torch' not in sys.modules and 'mace' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no_such"):
        adapters.no_such  # noqa: B018 - the access is what is tested


def test_a_mixed_model_shares_its_parts_and_leaves_them_alone(session: Session) -> None:
    base, donor = session.backend("cueq"), session.backend("e3nn")
    own = base.model.products[0].linear  # type: ignore[attr-defined]
    mixed = MixedModel(base, {"e3nn": donor}, {"products.0.linear": "e3nn"})  # type: ignore[dict-item,arg-type]
    assert isinstance(mixed.model.products[0].linear, Guest)
    assert mixed.model.products[0].linear.inner is donor.model.products[0].linear  # type: ignore[attr-defined]
    assert base.model.products[0].linear is own  # type: ignore[attr-defined]
    assert mixed.model.interactions is base.model.interactions  # type: ignore[attr-defined]


def test_mix_returns_a_working_model_and_without_adapters_a_wrong_one() -> None:
    pytest.importorskip("cuequivariance_torch")
    config = DESIGN[1]
    source = build_model(config.architecture)
    graph = make_graph([conversions.structure(config.elements, 0)], config.architecture.elements, config.architecture.r_max)
    swaps = {"interactions.0.linear": "e3nn", "products.0": "e3nn"}

    def energy_and_forces(model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        out = model({k: t.clone() for k, t in graph.items()}, compute_force=True)
        return out["energy"].detach(), out["forces"].detach()

    exact = energy_and_forces(source)
    squares = [0.0, 0.0]
    for draw in range(4):
        with WholeNoise(seed_of("test", draw)):
            noisy = energy_and_forces(source)
        squares = [s + float((n - e).square().mean()) / 4 for s, n, e in zip(squares, noisy, exact, strict=True)]
    found = energy_and_forces(adapters.mix(source, swaps))
    wrong = energy_and_forces(adapters.mix(source, {"interactions.0.linear": "e3nn"}, adapters=False))
    for k, square in enumerate(squares):
        noise = math.sqrt(square) / ETA * ROUNDOFF
        # two evaluations, each within six standard deviations of a scale that four draws know to a third
        limit = math.sqrt(2) * 6 * 4 / 3 * noise
        assert math.sqrt(float((found[k] - exact[k]).square().mean())) <= limit
        assert math.sqrt(float((wrong[k] - exact[k]).square().mean())) > 1e6 * limit
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("swaps", "message"),
    [({"products.9": "e3nn"}, "products.9"), ({"products.0": "nope"}, "unknown backend"), ({"edge_vectors": "e3nn"}, "edge_vectors")],
)
def test_unknown_blocks_and_backends_are_named(swaps: dict[str, str], message: str) -> None:
    source = build_model(DESIGN[0].architecture)
    with pytest.raises(InputError, match=message):
        adapters.mix(source, swaps, base="e3nn")


def test_mismatches_name_tensors_and_irreps(session: Session) -> None:
    block = next(b for b in module_blocks(session.model.module) if b.name == "products.0.linear")
    assert mismatches(block, "ir_mul", "mul_ir") == ["features (16x0e+16x1o)", "out (16x0e+16x1o)"]
    assert mismatches(block, "ir_mul", "ir_mul") == []
