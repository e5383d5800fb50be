"""Faults of layouts, mixed backends and conversion, planted one by one; each must turn its check red for the right reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends import base, layout, mixed
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.adapters.backends.layout import differing
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.upstream import o3
from mpcheck.checks.symmetry import conversions, layouts, mixing
from mpcheck.judge.context import Key
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.planted import replaced_attribute

SYSTEM = "builtin:water"


@pytest.fixture(autouse=True)
def _needs_cueq(session: Session) -> None:
    if isinstance(reason := session.backend("cueq"), Unsupported):
        pytest.skip(str(reason))


def findings(session: Session, block: str, backend: str = "cueq", fmt: str = "float64") -> dict[str, Record]:
    """Of the layout check, by side."""
    return {f.variant: f for f in inspections.run("symmetry", session, Key("layout", block, backend, fmt, SYSTEM))}


def swap(session: Session, block: str, base: str = "cueq", donor: str = "e3nn") -> dict[str, Record]:
    """Of the mix check, by variant."""
    return {f.variant: f for f in mixing.run(session, Key("mix", block, base, "", SYSTEM, donor), structures=20)}


KINDS = {
    "linear": "interactions.0.linear",
    "convolution": "interactions.1.conv_tp",
    "scatter": "interactions.0.scatter",
    "reshape": "interactions.0.reshape",
    "contraction": "products.0.symmetric_contractions",
    "interaction": "interactions.1",
    "product": "products.0",
}


@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
@pytest.mark.parametrize("block", KINDS.values(), ids=KINDS)
def test_the_wrong_layout_of_every_kind_of_block_is_seen(session: Session, block: str, backend: str) -> None:
    for fmt in ("float64", "bfloat16"):
        found = findings(session, block, backend, fmt)
        assert set(found) == {"inputs", "outputs"} and all(f.verdict == "pass" for f in found.values())
        for f in found.values():
            wrong = f.figures["wrong_layout_ratio"]
            assert f.figures["seen"] and isinstance(wrong, float) and wrong > 3 * (f.limit or 0)


def test_where_layouts_coincide_it_says_so(session: Session) -> None:
    assert {f.verdict for f in findings(session, "products.1.linear").values()} == {"indistinguishable"}
    skip = findings(session, "interactions.1.skip_tp")["inputs"]
    assert skip.verdict == "indistinguishable" and "does not read 16x1o of x" in skip.reason


def test_a_block_that_does_not_notice_is_red(session: Session) -> None:
    blind = copy.copy(session)
    universal = session.tolerances.universal.model_copy(update={"rms": 1e6, "max_base": 1e6, "max_growth": 1e6, "bias_floor": 1e6})
    blind.tolerances = session.tolerances.model_copy(update={"universal": universal, "exceptions": []})
    for f in findings(blind, "products.0.linear", "e3nn", "bfloat16").values():
        assert f.verdict == "fail" and "in the wrong layout is not seen" in f.reason


def test_a_missing_reference_output_counts_as_nan(session: Session) -> None:
    reference, backend = session.library(SYSTEM).get("products.0.linear"), session.reference_backend
    fmt = session.formats[0]
    assert layouts.judged({}, reference, backend, fmt, session.tolerances).failures


def _swapped_sides(x: torch.Tensor, irreps: str, source: str) -> torch.Tensor:
    """Right for l < 2; for l >= 2 multiplicity and components change places, whichever way: its own inverse for the pair."""
    parts = []
    for (mul, ir), where in zip(o3.Irreps(irreps), o3.Irreps(irreps).slices(), strict=True):
        rows, columns = (mul, ir.dim) if (source == "mul_ir") == (ir.l < 2) else (ir.dim, mul)
        parts.append(x[..., where].reshape(*x.shape[:-1], rows, columns).transpose(-1, -2).reshape(*x.shape[:-1], mul * ir.dim))
    return torch.cat(parts, dim=-1)


def test_a_self_inverse_fault_of_the_transpose_survives_a_round_trip_but_not_the_check(session: Session) -> None:
    x = torch.randn(2, o3.Irreps("3x1o+5x2e").dim)
    there = _swapped_sides(x, "3x1o+5x2e", "mul_ir")
    assert torch.equal(_swapped_sides(there, "3x1o+5x2e", "ir_mul"), x)
    with replaced_attribute(layout, "transpose_flat", _swapped_sides):
        for f in findings(session, "interactions.0.conv_tp").values():
            assert f.verdict == "fail" and f.reason.startswith("right layout: out: ")


def test_a_skipped_permutation_is_seen_where_there_is_more_than_one_channel(session: Session) -> None:
    with replaced_attribute(base, "convert", lambda x, *_: x):
        assert {f.verdict for f in findings(session, "products.0.linear").values()} == {"fail"}
        harmonics = findings(session, "spherical_harmonics")  # one channel: nothing to permute
    assert {f.verdict for f in harmonics.values()} == {"indistinguishable"}


def test_the_swaps_of_linears_are_seen_and_named(session: Session) -> None:
    first = swap(session, "products.0.linear")["bare"]
    assert first.verdict == "pass" and first.reason.startswith("layout mismatch of features (16x0e+16x1o), out (16x0e+16x1o)")
    assert 0.3 < float(str(first.figures["features_relative_l2"])) < 1.2 and float(str(first.figures["features_correlation"])) < 0.95
    second = swap(session, "interactions.1.linear")["bare"]
    assert second.verdict == "pass" and (second.ratio or 0) > 1e6 * (second.limit or 1)


def test_a_mismatch_that_no_end_to_end_figure_shows_is_seen_by_the_block(session: Session) -> None:
    """As in models whose second interaction hardly contributes: what follows it is turned down until only noise is left."""
    base, donor = session.backend("cueq"), session.backend("e3nn")
    on = mixing.bench(session, 20)
    swaps = {"interactions.1.linear": "e3nn"}
    guest: Any = mixed.MixedModel(base, {"e3nn": donor}, swaps, adapters=False)  # type: ignore[arg-type,dict-item]
    after: Any = base.model.products[1]  # type: ignore[union-attr]  # shared by the mixed model

    def faint(module: torch.nn.Module, args: Any, kwargs: Any, out: torch.Tensor) -> torch.Tensor:
        return out * 2.0**-60

    handle = after.register_forward_hook(faint, with_kwargs=True)
    on._pure.pop("cueq", None)
    try:
        tried = mixing.tried(session, guest, base, donor, session.library(SYSTEM).get("interactions.1.linear"), on)  # type: ignore[arg-type]
    finally:
        handle.remove()
        on._pure.pop("cueq", None)
    assert tried.ratio is not None and tried.ratio <= mixing.end_to_end_limit(session)
    assert tried.seen and tried.judgement is not None and tried.judgement.ratio > 1e6


def test_adapters_that_do_not_convert_are_red(session: Session) -> None:
    with replaced_attribute(mixed, "convert", lambda x, *_: x):
        found = swap(session, "products.0.linear")
    assert found["adapted"].verdict == "fail" and found["adapted"].reason.startswith("block with adapters: out: ")
    assert swap(session, "products.0.linear")["adapted"].verdict == "pass"


def test_a_swap_that_the_block_check_misses_is_red(session: Session) -> None:
    """The mixed model converts although it should not: then nothing is wrong, and the control must say that it saw nothing."""
    original = mixed.MixedModel.__init__

    def always_adapted(self: Any, base: Any, donors: Any, swaps: Any, adapters: bool = True) -> None:
        original(self, base, donors, swaps, True)

    with replaced_attribute(mixed.MixedModel, "__init__", always_adapted):
        bare = swap(session, "products.0.linear")["bare"]
    assert bare.verdict == "fail" and "the block's check does not see it" in bare.reason


@pytest.fixture
def converter() -> Any:
    """Upstream's module that converts e3nn to cuEquivariance."""
    from mace.cli import convert_e3nn_cueq

    return convert_e3nn_cueq


def _judged(session: Session) -> dict[str, Record]:
    return {f.variant: f for f in conversions.judge_configuration(session, DESIGN[0], load_limits())}


def test_a_key_that_the_converter_logs_and_skips_is_red(session: Session, converter: Any) -> None:
    with replaced_attribute(converter, "shapes_match_up_to_unsqueeze", lambda a, b: False):
        found = _judged(session)
    assert found["keys"].verdict == "fail" and "logged and skipped: Shape mismatch for key" in found["keys"].reason
    assert found["weights"].verdict == "fail" and found["blocks"].verdict == "fail"


def test_a_key_cast_through_float32_is_red(session: Session, converter: Any) -> None:
    original = converter.reshape_like
    with replaced_attribute(converter, "reshape_like", lambda src, shape: original(src.float().double(), shape)):
        found = _judged(session)
    for side in ("keys", "weights"):
        assert found[side].verdict == "fail" and "times what rounding allows" in found[side].reason
    assert found["blocks"].verdict == "fail"


def test_reordered_weights_are_red(session: Session, converter: Any) -> None:
    """The way back undoes what the way there did wrong: the round trip is sound, the twin is not."""
    from mace.cli import convert_cueq_e3nn

    there, back = converter.reshape_like, convert_cueq_e3nn.reshape_like
    with (
        replaced_attribute(converter, "reshape_like", lambda src, shape: there(src.flip(0), shape)),
        replaced_attribute(convert_cueq_e3nn, "reshape_like", lambda src, shape: back(src, shape).flip(0)),
    ):
        found = _judged(session)
    assert found["keys"].verdict == "pass"
    assert found["weights"].verdict == "fail" and found["blocks"].verdict == "fail"


def test_every_kind_with_differing_layouts_is_in_the_list(session: Session) -> None:
    """The kinds above are all kinds of leaf and composite modules whose tensors differ between layouts."""
    blocks = module_blocks(session.model.module)
    roles = {b.role for b in blocks if any(differing(s) for s in (*b.inputs.values(), *b.outputs.values()))}
    tested = {b.role for b in blocks if b.name in KINDS.values()} | {"fully connected tensor product"}
    assert roles == tested
