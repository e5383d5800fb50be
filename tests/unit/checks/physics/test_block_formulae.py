"""Formulae of blocks on arguments whose results are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.facts.blocks import BlockFacts
from mpcheck.adapters.facts.closed_forms import closed_form
from mpcheck.adapters.upstream import default_dtype, mace
from mpcheck.checks.physics.block_formulae import computed
from mpcheck.checks.physics.formulae import WIDE
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.conftest import SYSTEM


def test_edges_go_from_sender_to_receiver() -> None:
    arguments = {
        "positions": np.array([[0, 0, 0], [1, 2, 2]], dtype=WIDE), "edge_index": np.array([[0, 1], [1, 0]]),
        "shifts": np.array([[0, 0, 0], [10, 0, 0]], dtype=WIDE),
    }  # fmt: skip
    out = computed(BlockFacts("edge_vectors"), arguments, {})
    assert out["out.0"].tolist() == [[1, 2, 2], [9, -2, -2]] and out["out.1"].tolist() == [[3], [np.sqrt(WIDE(89))]]


@pytest.mark.parametrize(("given", "size"), [({"dim_size": 5}, 5), ({"dim_size": None}, 3), ({}, 3)])
def test_sums_are_torchs(given: dict[str, object], size: int) -> None:
    rows, index = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 2, 2, 0, 1, 2, 0])
    out = computed(BlockFacts("sum"), {"src": rows.numpy().astype(WIDE), "index": index.numpy(), "dim": 0, **given}, {})["out"]
    assert out.shape == (size, 3)
    assert np.allclose(out.astype(float), torch.zeros(size, 3, dtype=torch.float64).index_add(0, index, rows), atol=1e-15)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("alike", [True, False])
def test_sums_take_an_index_of_several_dimensions(dim: int, alike: bool) -> None:
    """As upstream's ``scatter_sum`` does: ``batch.unsqueeze(-1)`` in EnergyDipolesMACE."""
    generator = torch.Generator().manual_seed(2)
    rows, shape = torch.randn(4, 3, dtype=torch.float64, generator=generator), [4, 3]
    if alike:
        shape[1 - dim % 2] = 1
    index = torch.randint(0, 5, shape, generator=generator)
    arguments = {"src": rows.numpy().astype(WIDE), "index": index.numpy(), "dim": dim, "dim_size": 5}
    out = computed(BlockFacts("sum"), arguments, {})["out"]
    assert np.allclose(out.astype(float), mace.modules.models.scatter_sum(src=rows, index=index, dim=dim, dim_size=5), atol=1e-15)


def test_scale_and_shift_are_of_the_atoms_head_and_parameters_come_before_fixed_numbers() -> None:
    facts = BlockFacts("scale_shift", numbers={"scale": np.array([2.0, 3.0]), "shift": np.array([0.5, -1.0])})
    arguments = {"x": np.array([1.0, 1.0, 10.0], dtype=WIDE), "head": np.array([0, 1, 1])}
    assert computed(facts, arguments, {})["out"].tolist() == [2.5, 2.0, 29.0]
    assert computed(facts, arguments, {"shift": np.array([0.0, 0.0], dtype=WIDE)})["out"].tolist() == [2.0, 3.0, 30.0]


def test_activations_act_on_their_columns_only() -> None:
    x = np.linspace(-2, 2, 10, dtype=WIDE).reshape(2, 5)
    facts = BlockFacts("activation", options={"irreps": [(2, 1), (1, 3)], "acts": [("silu", np.array(1.5)), None]})
    out = computed(facts, {"features": x}, {})["out"]
    assert np.allclose(out[:, :2].astype(float), (1.5 * x * expit(x.astype(float)))[:, :2].astype(float), rtol=1e-14)
    assert np.array_equal(out[:, 2:], x[:, 2:])


@pytest.mark.parametrize("bias", [True, False])
def test_a_stack_of_layers_has_the_parameters_that_its_layers_were_made_with(bias: bool) -> None:
    """Upstream's joint embedding projects without a bias, its embedders have one."""
    torch.manual_seed(1)
    norm = torch.nn.LayerNorm(4, elementwise_affine=bias)
    stack = torch.nn.Sequential(torch.nn.Linear(3, 4, bias=bias), norm, torch.nn.SiLU(), torch.nn.Linear(4, 2, bias=bias)).double()
    for parameter in stack.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(5, 3, dtype=torch.float64)
    facts = closed_form(Block("stack", "leaf", "", "Sequential", {}, {}, 0), torch.nn.ModuleDict({"stack": stack}))
    assert isinstance(facts, BlockFacts)
    out = computed(facts, {"input": x.numpy().astype(WIDE)}, {n: v.astype(WIDE) for n, v in facts.parameters.items()})["out"]
    assert np.allclose(out.astype(float), stack(x).detach().numpy(), rtol=1e-13, atol=1e-14)


def test_channels_are_flat_irreps_side_by_side() -> None:
    x = np.arange(8, dtype=WIDE).reshape(1, 8)
    out = computed(BlockFacts("reshape", options={"irreps": [(2, 1), (2, 3)]}), {"tensor": x}, {})["out"]
    assert out.tolist() == [[[0, 2, 3, 4], [1, 5, 6, 7]]]


ARCHITECTURE = """
schema_version: 1
name: {name}
elements: [H, O]
atomic_energies: {{H: -13.6, O: -2041.8}}
r_max: 4.3
num_bessel: 4
max_ell: 1
hidden_irreps: 3x0e + 3x1o
MLP_irreps: 3x0e
correlation: 2
radial_MLP: [5]
avg_num_neighbors: 17.3
weights_seed: 3
radial_type: {basis}
distance_transform: {transform}
pair_repulsion: {repulsion}
apply_cutoff: {cutoff}
gate: {gate}
interaction_cls: {interaction}
interaction_cls_first: {interaction}
"""
PLAIN, NON_LINEAR = "RealAgnosticResidualInteractionBlock", "RealAgnosticResidualNonLinearInteractionBlock"
MODELS = {
    "gaussian": dict(basis="gaussian", transform="Agnesi", repulsion=True, cutoff=True, gate="tanh", interaction=PLAIN),
    "nonlinear": dict(basis="bessel", transform="Soft", repulsion=True, cutoff=False, gate="abs", interaction=NON_LINEAR),
    "chebyshev": dict(basis="chebyshev", transform="None", repulsion=False, cutoff=True, gate="silu", interaction=PLAIN),
}


@pytest.mark.parametrize("name", MODELS)
def test_other_architectures(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Under a float32 default, too: there upstream's repulsion is off, which another check says."""
    where = tmp_path_factory.mktemp(name)
    (where / "model.yaml").write_text(
        ARCHITECTURE.format(name=name, **{k: str(v).lower() if v in (True, False) else v for k, v in MODELS[name].items()})
    )
    blocks = ("radial_embedding*", *(("pair_repulsion_fn",) if MODELS[name]["repulsion"] else ()), "*.conv_tp_weights*")
    made = Session(Options(model=str(where / "model.yaml"), systems=(SYSTEM,), backends=("e3nn",), blocks=blocks, cache=where, draws=2))
    with default_dtype(torch.float32):
        found = {f.variant: f for f in inspections.run("audit", made, Key("physics", "closed-forms", "e3nn", "float64", SYSTEM))}
    assert found["constants"].verdict == found["forward"].verdict == "pass", [f.reason for f in found.values()]
    if name == "nonlinear":
        assert found["forward"].figures.get("unsupported") is None, "the stack of layers has its formula"
    if name != "chebyshev":
        assert found["gradient"].verdict == "pass", found["gradient"].reason
    else:  # torch's polynomials have no derivative: what the basis contributes to the forces is lost
        assert found["gradient"].verdict in ("fail", "known-fault")
        assert found["gradient"].reason.startswith("radial_embedding.bessel_fn: derivative by x")
