"""Spherical harmonics by another library: equal to e3nn's, seen where they are not, and told where they are not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import e3nn
import pytest
import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends import sphericart as own
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase
from mpcheck.adapters.backends.protocol import added, get_backend
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.upstream import o3
from mpcheck.checks.audit import engagement
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FORMATS
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session

NAME, BLOCK = "sphericart", "spherical_harmonics"
pytestmark = pytest.mark.skipif(isinstance(own.BACKEND.unavailable("cpu"), Unsupported), reason="sphericart-torch is not installed")


@pytest.fixture(scope="module")
def judged(session: Session) -> Session:
    """The session with this backend, and e3nn."""
    return Session(replace(session.options, backends=("e3nn", NAME)))


def cell(session: Session, fmt: str, direction: str = "forward", backend: str = NAME) -> Record:
    return judge_by_limits(session, CellKey(next(iter(session.systems)), BLOCK, backend, fmt, direction))


@pytest.mark.parametrize("normalization", ["component", "integral", "norm"])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("degrees", [[0, 1, 2, 3], [1, 3], [2, 1], [0, 0, 1], [4], list(range(9))])
def test_they_are_those_of_e3nn(degrees: list[int], normalize: bool, normalization: str) -> None:
    theirs = o3.SphericalHarmonics(degrees, normalize, normalization)
    ours = own.Harmonics(theirs)
    vectors = torch.randn(5, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted, found = theirs(vectors), ours(vectors)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 200 * 2.0**-53


def test_of_vectors_of_no_length_and_of_no_vectors() -> None:
    theirs = o3.SphericalHarmonics([0, 1, 2, 3], True, "component")
    for vectors in (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(0, 3, dtype=torch.float64)):
        assert torch.allclose(own.Harmonics(theirs)(vectors), theirs(vectors), rtol=0, atol=1e-14)


def test_strided_vectors(judged: Session) -> None:
    ours = own.Harmonics(o3.SphericalHarmonics([0, 1, 2], True, "component"))
    vectors = torch.randn(3, 11, dtype=torch.float64).T
    assert torch.allclose(ours(vectors), ours(vectors.contiguous()), rtol=0, atol=1e-14)


def test_sound_cells_pass(judged: Session) -> None:
    found = {(f, d): cell(judged, f, d) for f in ("float64", "float32", "tf32") for d in ("forward", "backward")}
    assert {k: r.verdict for k, r in found.items()} == dict.fromkeys(found, "pass"), [r.reason for r in found.values()]
    assert all(max(q.rms or 0 for q in r.quantities) > 0 for (f, d), r in found.items() if d == "forward"), "they are not e3nn's own"


def test_what_it_has_no_kernels_for_is_said(judged: Session) -> None:
    assert cell(judged, "bfloat16").verdict == "unsupported" and "not in bfloat16" in cell(judged, "bfloat16").reason
    model = judged.backend(NAME)
    assert not isinstance(model, Unsupported)
    block = judged.library(next(iter(judged.systems))).block("products.0.linear")
    assert str(model.unsupported(block, FORMATS["float32"])).startswith("e3nn's own")


class Rolled(own.Harmonics):
    """The library's axes in the wrong cyclic order: all vectors are turned, which no energy and no force shows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.roll(1, dims=-1))


@contextlib.contextmanager
def rolled() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "Harmonics", Rolled)
        yield


def test_axes_in_the_wrong_order_are_seen_by_the_block_alone(session: Session) -> None:
    with rolled():
        judged = Session(replace(session.options, backends=("e3nn", NAME)))
        model = judged.backend(NAME)
        assert not isinstance(model, Unsupported)
        graph = judged.graph(next(iter(judged.systems)))
        module = model.module(WHOLE)
        assert module is not None
        found, true = (m({k: v.clone() for k, v in graph.items()}, compute_force=True) for m in (module, judged.reference_backend.model))
        for name in ("energy", "forces"):
            assert float((found[name] - true[name]).detach().norm() / true[name].detach().norm()) < 1e-13, name
        red = {fmt: cell(judged, fmt) for fmt in ("float64", "float32")}
    assert all(r.verdict == "fail" and r.subject == BLOCK for r in red.values())


class Patched(BackendBase):
    """Somebody's backend that patches e3nn's function, which models of modules never call; with its package named, or not."""

    name = "patched"

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def build(self, model: torch.nn.Module, device: torch.device) -> BackendModelBase:
        from sphericart.torch import patch_e3nn, unpatch_e3nn

        patch_e3nn(e3nn)
        try:
            return type("PatchedModel", (BackendModelBase,), {"packages": self.packages})(self.name, model, model, device)
        finally:
            unpatch_e3nn(e3nn)


@pytest.mark.parametrize("packages", [(), ("sphericart",)])
def test_a_patch_that_does_not_take_is_degraded(session: Session, packages: tuple[str, ...]) -> None:
    with added(Patched(packages)):
        judged = Session(replace(session.options, backends=("e3nn", "patched"), formats=("float32",), blocks=(BLOCK,)))
        records = [r for key in engagement.keys(judged) if key.backend == "patched" for r in engagement.run(judged, key)]
    told = [r for r in records if r.verdict == "degraded"]
    assert told and all("computes nothing" in r.reason and r.lacking == "patched" for r in told)
    if packages:
        assert len(told) == len(records), "every block says so"
    else:
        assert [r.subject for r in told] == ["model"] and "a difference of exactly 0" in told[0].reason


def test_a_backend_of_its_own_code_is_not_degraded(session: Session) -> None:
    """Without a package that could be counted, its bits tell."""

    class Own(BackendBase):
        name = "own"

        def build(self, model: torch.nn.Module, device: torch.device) -> BackendModelBase:
            return BackendModelBase(self.name, model, own.to_sphericart(model), device)

    with added(Own()):
        judged = Session(replace(session.options, backends=("own",), formats=("float32",), blocks=(BLOCK,)))
        (whole,) = [r for key in engagement.keys(judged) if key.subject == "model" for r in engagement.run(judged, key)]
    assert whole.verdict == "pass", whole.reason


def test_a_model_without_them_is_no_model_for_it() -> None:
    with pytest.raises(NotImplementedError, match="Linear has no module of class"):
        own.to_sphericart(torch.nn.Linear(1, 1))


def test_the_way_back(judged: Session) -> None:
    model = judged.backend(NAME)
    assert not isinstance(model, Unsupported)
    back = own.from_sphericart(model.module(WHOLE) or torch.nn.Module())
    names = [[type(m).__name__ for m in whole.modules()] for whole in (back, judged.reference_backend.model)]
    assert names[0] == names[1]
    vectors = torch.randn(4, 3, dtype=torch.float64)
    first, second = (m.get_submodule(BLOCK)(vectors) for m in (back, judged.reference_backend.model))
    assert torch.equal(first, second)


def test_constants_of_fewer_digits_are_allowed_for_and_no_more(judged: Session) -> None:
    """What the library's constants are off by is in its roundoff; ten times as much is red."""
    assert cell(judged, "float64").verdict == "pass"

    class Off(own.Harmonics):
        def _scale(self, degree: int) -> float:
            return super()._scale(degree) * (1 + 640 * 2.0**-53)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "Harmonics", Off)
        off = Session(replace(judged.options, cache=judged.options.cache))
        assert cell(off, "float64").verdict == "fail"


def test_where_it_is_missing_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(own, "import_module", missing)
    why = get_backend(NAME).unavailable("cpu")
    assert isinstance(why, Unsupported) and why.code == "not-installed" and "pip install 'mpcheck[sphericart]'" in why.text
