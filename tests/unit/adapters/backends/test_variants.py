"""Any backend in a variant: by its name, without a class of its own, judged and refused like others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._names import PRECISION
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.adapters.backends import variants
from mpcheck.adapters.backends.base import BackendBase
from mpcheck.adapters.backends.mixed import mix
from mpcheck.adapters.backends.protocol import added, built, get_backend, unavailable
from mpcheck.adapters.backends.variants import VariantBackend, made_of
from mpcheck.adapters.scripting import lost_in_script
from mpcheck.sessions.options import Options
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.run import Session
from mpcheck.testing import assert_backend
from tests.unit.checks.uses.small_models import built as small
from tests.unit.toy_backend import Toy

CPU = torch.device("cpu")


def test_every_backend_has_every_variant_by_name() -> None:
    found = get_backend("cueq-mul_ir+compile")
    assert isinstance(found, VariantBackend) and found.name == "cueq-mul_ir+compile" and found.base is get_backend("cueq-mul_ir")
    with added(Toy("mine")):
        assert isinstance(get_backend("mine+script"), VariantBackend)
    with pytest.raises(InputError, match="unknown backend 'mine'"):
        get_backend("mine+script")
    assert unavailable(get_backend("e3nn+cudagraph"), "cpu") == no_device()


def test_where_the_base_is_missing_so_is_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Toy):
        def unavailable(self, device: str) -> Unsupported | None:
            return Unsupported("not-installed", "toykernels are not installed", self.name)

    with added(Gone("mine")):
        missing = unavailable(get_backend("mine+compile"), "cpu")
    assert missing is not None and missing.text == "toykernels are not installed" and missing.lacking == "mine"
    monkeypatch.setattr(variants, "strict_settings", lambda: Unsupported("no-operation", "torch 1 has no strict numerics"))
    strict = unavailable(get_backend("e3nn+compile-strict"), "cpu")
    assert strict is not None and "no strict numerics" in strict.text


def test_a_model_that_upstreams_recipe_cannot_make_anew_says_so() -> None:
    model = built(get_backend("e3nn+compile"), small("MACE"), CPU)
    assert isinstance(model, Unsupported) and "rebuilds ScaleShiftMACE only, not MACE" in model.text
    assert isinstance(made_of(VariantBackend(get_backend("e3nn"), "compile"), no_device()), Unsupported)


def test_the_base_stays_as_it_is() -> None:
    model = small("ScaleShiftMACE")
    before = {n: (t.data_ptr(), t.dtype) for n, t in model.state_dict().items()}
    base = get_backend("e3nn").build(model, CPU)
    for variant in ("script", "compile"):
        made = VariantBackend(get_backend("e3nn"), variant).of(base)
        assert made.name == f"e3nn+{variant}" and made.packages == ()
    assert {n: (t.data_ptr(), t.dtype) for n, t in model.state_dict().items()} == before
    assert all(p.requires_grad for p in model.parameters())


def test_other_sessions_refuse_them_in_one_line(cache: Path) -> None:
    with pytest.raises(InputError, match=r"backend e3nn\+script: backends in a variant are judged by `mpcheck run`; give e3nn here"):
        Session(Options(backends=("e3nn", "e3nn+script"), systems=("builtin:water",), cache=cache))
    with pytest.raises(InputError, match="blocks of a variant cannot be swapped; give e3nn"):
        mix(small("ScaleShiftMACE"), {"interactions.0.linear": "e3nn+compile"}, base="e3nn")
    with pytest.raises(InputError, match=r"unknown capability e3nn\+fast in --require"):
        Session(PrecisionOptions(backends=("e3nn",), systems=("builtin:water",), require=("e3nn+fast",), cache=cache))


def test_a_third_partys_backend_is_judged_in_a_variant_as_it_is_without(cache: Path) -> None:
    """Its kernels hold irreps in a layout of their own; TorchScript cannot have their Python, and says so where they are required."""
    with added(Toy("mine")):
        found = assert_backend("e3nn+script", blocks=("interactions.0.linear",), formats=("float32",), checks=(PRECISION,), cache=cache)
        assert {r.backend for r in found} == {"e3nn+script"} and {r.verdict for r in found} == {"pass"}
        with pytest.raises(AssertionError, match="required: cannot be made"):
            assert_backend("mine+script", blocks=("interactions.0.linear",), formats=("float32",), checks=(PRECISION,), cache=cache)


def test_a_backend_without_a_whole_model_has_no_variant() -> None:
    class Blocks(BackendBase):
        name = "blocks"

        def build(self, model: torch.nn.Module, device: torch.device):  # type: ignore[no-untyped-def]
            made = get_backend("e3nn").build(model, device)
            made.module = lambda block: None  # type: ignore[method-assign]
            return made

    with added(Blocks()):
        made = built(get_backend("blocks+script"), small("ScaleShiftMACE"), CPU)
    assert isinstance(made, Unsupported) and made.text == "blocks has no whole model"


def test_a_converted_model_that_torchscript_takes_for_e3nns_is_unsupported() -> None:
    """Upstream's code asks at each call for the layout that the converter has set; TorchScript leaves it out (shape [33, 9, 16] for [33, 16, 9])."""
    base = get_backend("cueq")
    if isinstance(reason := unavailable(base, "cpu"), Unsupported):
        pytest.skip(str(reason))
    made = built(get_backend("cueq+script"), small("ScaleShiftMACE"), CPU)
    assert isinstance(made, Unsupported) and made.code == "no-conversion" and "reads its layout off cueq_config" in made.text
    assert not lost_in_script(small("ScaleShiftMACE"))
