from __future__ import annotations

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.parametrisation import own_gradients, own_parameters, takes_reduced
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.learning.step.parametrisation import KINDS, Names, in_kind, names_of
from mpcheck.learning.step.whole import trained
from mpcheck.sessions.run import Session


def parametrised(model: torch.nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    own = {n: p.detach() for n, p in trained(model).items()}
    return {kind: in_kind(kind, model, own, gradients=False) for kind in KINDS}


def test_a_linear_function_of_weights_is_the_same_in_both_parametrisations(run: Session) -> None:
    model = run.reference_backend.model
    weights = {n: p.detach() for n, p in trained(model).items()}
    drawn = {n: torch.randn(p.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) for n, p in weights.items()}
    mapped, gradients = own_parameters(model, weights, takes_reduced(model)), own_gradients(model, drawn, takes_reduced(model))
    inside = [n for n in weights if ".symmetric_contractions." in n]
    # what a converter leaves out has no path: its weights count for nothing
    taken = [n for n in inside if not n.endswith("zeroed")]
    exact = sum(float((weights[n] * drawn[n]).sum()) for n in taken)
    other = sum(float((mapped[n] * g).sum()) for n, g in gradients.items())
    assert gradients and abs(exact - other) < 1e-9 * max(1.0, abs(exact))


def test_e3nns_names_are_its_own(run: Session) -> None:
    backend = run.reference_backend
    names = names_of(backend, parametrised(backend.model))
    assert isinstance(names, Names) and names.kind == "own" and all(own == other for own, other in names.reference.items())


def test_a_backend_of_other_names_and_shapes_is_found_out() -> None:
    weight = torch.nn.Linear(3, 2, bias=False, dtype=torch.float64)

    class Reshaping(E3nnModel):
        def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
            return {"mine": torch.nn.Parameter(weight.weight.detach().reshape(1, 6))}

        def reference_gradients(self, block: Block, gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:  # type: ignore[override]
            return {"weight": gradients["mine"].reshape(2, 3)}

    class Mixing(Reshaping):
        def reference_gradients(self, block: Block, gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:  # type: ignore[override]
            return {"weight": 2 * gradients["mine"].reshape(2, 3)}

    assert WHOLE.module_path == ""
    known = {kind: {"weight": weight.weight.detach()} for kind in KINDS}
    names = names_of(Reshaping(weight, torch.device("cpu")), known)
    assert isinstance(names, Names) and dict(names.reference) == {"mine": "weight"}
    assert names.own({"weight": torch.zeros(2, 3)})["mine"].shape == (1, 6)
    assert names.referred({"mine": torch.zeros(1, 6)}, known["own"])["weight"].shape == (2, 3)
    assert isinstance(names_of(Mixing(weight, torch.device("cpu")), known), Unsupported)
    assert isinstance(names_of(Reshaping(weight, torch.device("cpu")), {kind: {} for kind in KINDS}), Unsupported)
