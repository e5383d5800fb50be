"""Blocks that are wrong from the start are seen by their published formulae; the same mathematics written otherwise is not."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.facts import closed_forms as facts
from mpcheck.adapters.upstream import e3nn_nn, mace, o3
from mpcheck.checks.physics import closed_forms, formulae
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import exchanged, input_changed, result_changed
from tests.faults.planted import replaced_attribute

radial = mace.modules.radial
Planted = contextlib.AbstractContextManager[None]
KINDS = ("constants", "forward", "gradient")


def judged(session: Session, blocks: tuple[str, ...], backend: str = "e3nn") -> dict[str, Record]:
    """The property on some blocks."""
    view = copy.copy(session)
    view.options = dataclasses.replace(session.options, blocks=blocks)
    return {f.variant: f for f in inspections.run("audit", view, Key("physics", "closed-forms", backend, "float64", SYSTEM))}


@pytest.mark.parametrize("backend", ["e3nn", "cueq"])
def test_upstream_is_what_its_papers_say(session: Session, backend: str) -> None:
    found = judged(session, (), backend)
    assert set(found) == set(KINDS)
    assert {f.verdict for f in found.values()} == {"pass"}, [f.reason for f in found.values()]
    assert found["forward"].figures["blocks"] == len([b for b in session.library(SYSTEM).blocks() if not isinstance(_facts(session, b), str)])
    assert "no closed form of" in str(found["forward"].figures["unsupported"])


def _facts(session: Session, block: Any) -> Any:
    return facts.closed_form(block, session.reference_backend.model)


@contextlib.contextmanager
def envelope(make: Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]) -> Iterator[None]:
    """Upstream's envelope, a static method, replaced."""
    raw = vars(radial.PolynomialCutoff)["calculate_envelope"]
    radial.PolynomialCutoff.calculate_envelope = staticmethod(make(raw.__func__))
    try:
        yield
    finally:
        radial.PolynomialCutoff.calculate_envelope = raw


def envelope_of_another_power(session: Session) -> Planted:
    return envelope(lambda original: lambda x, r_max, p: original(x, r_max, p + 1))


def envelope_without_end(session: Session) -> Planted:
    return envelope(lambda original: lambda x, r_max, p: original(x, 2 * r_max, p) if bool((x > r_max).any()) else original(x, r_max, p))


def a_harmonic_of_the_other_sign(session: Session) -> Planted:
    return result_changed(o3.SphericalHarmonics, lambda self, out, *_: torch.cat([out[..., :5], -out[..., 5:6], out[..., 6:]], -1))


def linear_by_paths(session: Session) -> Planted:
    return result_changed(o3.Linear, lambda self, out, *_: out * 2**0.5)


def edges_turned_round(session: Session) -> Planted:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(positions: torch.Tensor, edge_index: torch.Tensor, shifts: torch.Tensor, **rest: Any) -> Any:
            vectors, lengths = original(positions, edge_index, shifts, **rest)
            return -vectors, lengths

        return call

    return exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)


def a_path_of_the_other_sign(session: Session) -> Planted:
    """One of the channels' paths, which is equivariant as well."""
    return result_changed(o3.TensorProduct, lambda self, out, *_: torch.cat([-out[..., :16], out[..., 16:]], -1))


def skip_without_normalisation(session: Session) -> Planted:
    return result_changed(o3.FullyConnectedTensorProduct, lambda self, out, *_: out * 3**0.5)


def net_in_float32(session: Session) -> Planted:
    return input_changed(e3nn_nn.FullyConnectedNet, lambda self, x: x.float().to(x.dtype))


def shift_before_scale(session: Session) -> Planted:
    return result_changed(mace.modules.blocks.ScaleShiftBlock, lambda self, out, *_: out + self.shift * (self.scale - 1))


def mean_for_sum(session: Session) -> Planted:
    return exchanged(mace.modules.models, "scatter_sum", lambda _: mace.modules.utils.scatter_mean)


FAULTS: dict[str, tuple[Callable[[Session], Planted], str]] = {
    "another Bessel prefactor": (lambda s: PATCHES["another_bessel_prefactor"](s, factor=1.5), "radial_embedding.bessel_fn"),
    "energies summed in float32": (lambda s: PATCHES["energies_summed_in"](s, dtype="float32"), "energy_sum"),
    "energies averaged": (mean_for_sum, "energy_sum"),
    "envelope of another power": (envelope_of_another_power, "radial_embedding.cutoff_fn"),
    "envelope that ends elsewhere": (envelope_without_end, "radial_embedding.cutoff_fn"),
    "a harmonic of the other sign": (a_harmonic_of_the_other_sign, "spherical_harmonics"),
    "linear with another normalisation": (linear_by_paths, "node_embedding.linear"),
    "edge vectors turned round": (edges_turned_round, "edge_vectors"),
    "a path of the other sign": (a_path_of_the_other_sign, "interactions.1.conv_tp"),
    "a skip connection without its normalisation": (skip_without_normalisation, "interactions.0.skip_tp"),
    "radial network in float32": (net_in_float32, "interactions.0.conv_tp_weights"),
    "shift before scale": (shift_before_scale, "scale_shift"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_the_block(session: Session, fault: str) -> None:
    plant, block = FAULTS[fault]
    asked = (block, *(("radial_embedding",) if block.startswith("radial_embedding.") else ()))
    assert {f.verdict for f in judged(session, asked).values()} == {"pass"}
    with plant(session):
        found = judged(session, asked)["forward"]
    assert found.verdict == "fail", f"not seen: ratio {found.ratio}"
    assert found.worst.startswith(f"{block}, "), "a composite is not to blame for its part"
    assert found.reason.startswith(f"{block}: out")
    assert found.ratio is not None
    assert found.ratio > 1e4, "a fault is no matter of a few roundings"


@pytest.mark.parametrize(
    ("block", "fault"), [("radial_embedding.bessel_fn", "another Bessel prefactor"), ("energy_sum", "energies summed in float32")]
)
def test_every_backend_is_judged(session: Session, block: str, fault: str) -> None:
    with FAULTS[fault][0](session):
        found = judged(session, (block,), "cueq")["forward"]
    assert found.verdict == "fail"
    assert found.backend == "cueq"


def test_a_twin_with_a_scaled_weight(session: Session) -> None:
    """Only the twin's: the e3nn model, from which the formula takes its parameters, is right."""
    twin = session.backend("cueq")
    assert not isinstance(twin, Unsupported)
    weight = twin.model.get_submodule("interactions.1.linear").weight  # type: ignore[attr-defined]
    with torch.no_grad():
        saved = weight.clone()
        weight.mul_(1 + 1e-9)
    try:
        found = judged(session, ("interactions.1.linear",), "cueq")["forward"]
    finally:
        with torch.no_grad():
            weight.copy_(saved)
    assert found.verdict == "fail"


@contextlib.contextmanager
def buffer(module: torch.nn.Module, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    with replaced_attribute(module, name, change(getattr(module, name))):
        yield


def test_stored_constants_are_judged_apart(session: Session) -> None:
    """Frequencies that do not belong to r_max: the block computes what its formula says of them."""
    module = session.reference_backend.model.get_submodule("radial_embedding.bessel_fn")
    with buffer(module, "bessel_weights", lambda w: w * 1.01):
        found = judged(session, ("radial_embedding.bessel_fn",))
    assert {k: f.verdict for k, f in found.items()} == {"constants": "fail", "forward": "pass", "gradient": "pass"}
    assert found["constants"].worst == "radial_embedding.bessel_fn, constant bessel_weights"


def test_constants_kept_in_float32_are_no_fault(session: Session) -> None:
    """A model saved in float32: its constants have that rounding; a frequency off by 1e-6 has not."""
    module = session.reference_backend.model.get_submodule("radial_embedding.bessel_fn")
    for change, verdict in ((lambda w: w.float().double(), "pass"), (lambda w: (w * (1 + 1e-6)).float().double(), "fail")):
        with buffer(module, "bessel_weights", change):
            assert judged(session, ("radial_embedding.bessel_fn",))["constants"].verdict == verdict


@pytest.mark.parametrize(("dtype", "off"), [(torch.bfloat16, 0.03), (torch.float16, 0.004)])
def test_constants_kept_in_sixteen_bits_are_no_fault(session: Session, dtype: torch.dtype, off: float) -> None:
    """As in float32; one that is off by more than the format's roundings is a fault, and one with all digits is judged by them."""
    module = session.reference_backend.model.get_submodule("radial_embedding.bessel_fn")
    changes = ((lambda w: w.to(dtype).double(), "pass"), (lambda w: (w * (1 + off)).to(dtype).double(), "fail"), (lambda w: w * (1 + 1e-5), "fail"))
    for change, verdict in changes:
        with buffer(module, "bessel_weights", change):
            assert judged(session, ("radial_embedding.bessel_fn",))["constants"].verdict == verdict


def test_an_activation_with_another_constant(session: Session) -> None:
    """e3nn estimates it from a million random numbers: 1.26 of their standard deviation off, which is allowed; 2 % is not."""
    act = session.reference_backend.model.get_submodule("readouts.1.non_linearity").acts[0]  # type: ignore[index]
    sound = judged(session, ("readouts.1.non_linearity",))["constants"]
    assert sound.verdict == "pass"
    assert sound.ratio == pytest.approx(1.26, abs=0.1)
    with replaced_attribute(act, "cst", act.cst * 1.02):
        found = judged(session, ("readouts.1.non_linearity",))
    assert found["constants"].verdict == "fail"
    assert found["constants"].worst == "readouts.1.non_linearity, constant silu's"


def test_a_gradient_that_stops_halfway(session: Session) -> None:
    """The division's part of the derivative is lost; the value is the same."""

    def make(original: Any) -> Any:
        return lambda self, x: self.prefactor * (torch.sin(self.bessel_weights * x) / x.detach())

    with exchanged(radial.BesselBasis, "forward", make):
        found = judged(session, ("radial_embedding.bessel_fn", "radial_embedding"))
    assert found["forward"].verdict == "pass"
    assert found["gradient"].verdict == "fail"
    assert found["gradient"].worst.startswith("radial_embedding.bessel_fn, derivative by x")


def test_the_same_mathematics_written_otherwise_is_green(session: Session) -> None:
    def sinc(_: Any) -> Any:
        return lambda self, x: self.prefactor * self.bessel_weights * torch.sinc(self.bessel_weights * x / torch.pi)

    def reverse(original: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        return lambda src, index, **rest: original(src=src.flip(0), index=index.flip(0), **rest)

    def horner(_: Any) -> Any:
        def factored(x: torch.Tensor, r_max: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
            y, n = x / r_max, int(p)
            return (1 - y**n * ((n + 1) * (n + 2) / 2 - y * (n * (n + 2) - y * n * (n + 1) / 2))) * (x < r_max)

        return factored

    blocks = ("radial_embedding*", "energy_sum*", "*.scatter")
    with contextlib.ExitStack() as stack:
        stack.enter_context(exchanged(radial.BesselBasis, "forward", sinc))
        stack.enter_context(envelope(horner))
        for module in (mace.modules.models, mace.modules.blocks):
            stack.enter_context(exchanged(module, "scatter_sum", reverse))
        found = judged(session, blocks)
    assert {f.verdict for f in found.values()} == {"pass"}, [f.reason for f in found.values()]


def test_a_block_without_a_formula_is_no_failure(session: Session) -> None:
    (found,) = judged(session, ("products.0.symmetric_contractions",)).values()
    assert found.verdict == "unsupported"
    assert "no closed form of SymmetricContraction" in found.reason


def test_derivatives_by_complex_step_are_exact() -> None:
    x = np.linspace(0.3, 4.0, 9).astype(formulae.WIDE)[:, None]
    stepped = formulae.bessel(x + 1j * formulae.WIDE(1e-100), np.array([1.5], formulae.WIDE), np.array(0.7, formulae.WIDE)).imag / formulae.WIDE(
        1e-100
    )
    exact = 0.7 * (1.5 * np.cos(1.5 * x) / x - np.sin(1.5 * x) / x**2)
    assert np.allclose(stepped.astype(float), exact.astype(float), rtol=1e-14, atol=1e-16)
    assert formulae.normalisation("abs")[0] == pytest.approx(1.0, abs=1e-12)


def test_no_number_and_another_shape_are_beyond_every_limit() -> None:
    assert closed_forms._ratio(torch.zeros(3, dtype=torch.float64), np.zeros(3), 0.0) == 0.0
    assert closed_forms._ratio(torch.full((3,), 1e-30, dtype=torch.float64), np.zeros(3), 0.0) == float("inf")
    assert closed_forms._ratio(torch.zeros(2, dtype=torch.float64), np.zeros(3), 1.0) == float("inf")
    assert closed_forms._ratio(torch.tensor([float("nan")]), np.ones(1), 1.0) == float("inf")
