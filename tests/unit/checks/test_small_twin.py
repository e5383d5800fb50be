"""Faults of layouts that the user's own model does not show, in a run without options."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._names import DEFAULT_BACKENDS, SMALL_TWIN
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import get_backend
from mpcheck.checks.small_twin import MODEL, backends_of
from mpcheck.records.record import Record
from mpcheck.sessions.precision import PrecisionOptions
from mpcheck.sessions.precision.work import PrecisionWork
from mpcheck.sessions.run import Session
from tests.faults.patches import PATCHES
from tests.faults.patches.layouts import channels_of_mul_ir
from tests.faults.patches.planting import exchanged

BACKENDS = ["cueq", "cueq-mul_ir"]


@pytest.fixture(autouse=True)
def _needs_cueq() -> None:
    if isinstance(reason := get_backend("cueq").unavailable("cpu"), Unsupported):
        pytest.skip(str(reason))


def judged(session: Session) -> dict[str, list[Record]]:
    """What a run without options says of the small model, by backend."""
    work = PrecisionWork(PrecisionOptions(systems=tuple(session.systems)), session)
    pieces = [p for p in work.pieces() if p.planned.check == SMALL_TWIN]
    assert [p.planned.backend for p in pieces] == BACKENDS and {p.planned.subject for p in pieces} == {MODEL}
    return {p.planned.backend: work.records(p) for p in pieces}


def test_sound_backends_agree_in_both_layouts(session: Session) -> None:
    assert session.options.backends == DEFAULT_BACKENDS
    found = judged(session)
    assert {name: [(r.verdict, r.subject) for r in records] for name, records in found.items()} == {b: [("pass", MODEL)] for b in BACKENDS}
    assert all(r.figures["blocks"] > 20 and r.ratio and r.ratio < (r.limit or 0) for records in found.values() for r in records)


def test_a_transposition_that_acts_in_the_other_layout_alone_is_red(session: Session) -> None:
    with PATCHES["first_segment_transposed_alone"](session):
        found = judged(session)
    assert [r.verdict for r in found["cueq"]] == ["pass"]
    red = found["cueq-mul_ir"]
    assert red and {r.verdict for r in red} == {"fail"} and all("of the small model" in r.subject and "rms ratio" in r.reason for r in red)
    assert not any(r.worst.split()[0] in ("interactions.0", "interactions.1", "products.0") for r in red), "composites are told by what is in them"


@contextlib.contextmanager
def reshaped_where_odd() -> Iterator[None]:
    """Features of an odd number of channels are reshaped as if their channels came first."""
    from mace.modules.irreps_tools import reshape_irreps

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, tensor: torch.Tensor) -> torch.Tensor:
            config = getattr(self, "cueq_config", None)
            wrong = config is not None and config.layout_str == "ir_mul" and self.muls[0] % 2
            found: torch.Tensor = channels_of_mul_ir(tensor, self.muls, self.dims) if wrong else original(self, tensor)
            return found

        return forward

    with exchanged(reshape_irreps, "forward", make):
        yield


def test_a_transposition_that_acts_at_odd_multiplicities_alone_is_red(session: Session) -> None:
    """builtin:hco has sixteen channels."""
    with reshaped_where_odd():
        found = judged(session)
    assert [r.verdict for r in found["cueq-mul_ir"]] == ["pass"]
    assert {r.subject for r in found["cueq"] if r.verdict == "fail"} >= {"interactions.0.reshape of the small model"}


def test_a_converter_that_raises_is_red(session: Session) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such layout")

    from mpcheck.adapters.backends import conversion

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conversion, "to_cueq", broken)
        found = judged(session)
    assert all(r[0].verdict == "fail" and "raised RuntimeError: no such layout" in r[0].reason for r in found.values())


@pytest.mark.parametrize("narrowed", [{"blocks": ("readouts.0.linear",)}, {"formats": ("float32",)}, {"backends": ("e3nn",)}])
def test_a_narrowed_run_leaves_it_out(cache: Path, narrowed: dict[str, Any]) -> None:
    options = PrecisionOptions(**{"systems": ("builtin:water",), "cache": cache, **narrowed})
    assert not [p for p in PrecisionWork(options).pieces() if p.planned.check == SMALL_TWIN]


def test_which_backends_are_looked_at() -> None:
    assert backends_of(("e3nn", "cueq")) == BACKENDS and backends_of(("cueq-mul_ir",)) == ["cueq-mul_ir"] and backends_of(("e3nn",)) == []
