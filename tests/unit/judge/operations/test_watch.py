"""Operations of some code, each judged by itself."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mpcheck.formats import BFLOAT16, FLOAT32, Format
from mpcheck.judge.operations.places import Places
from mpcheck.judge.operations.watch import OperationWatch
from mpcheck.judge.tolerances import limits_for, load_tolerances
from mpcheck.reference.noise import seed_of

LIMITS = limits_for(load_tolerances(), "block", "e3nn", "float32", "forward")


def watched(fmt: Format, code: Callable[[torch.Tensor], torch.Tensor]) -> tuple[OperationWatch, torch.Tensor]:
    x = torch.randn(20, 30, generator=torch.Generator().manual_seed(seed_of("watch") % 2**31)).to(fmt.storage)
    watch = OperationWatch(fmt, LIMITS, Places({}))
    with watch:
        return watch, code(x)


def blamed(watch: OperationWatch) -> list[str]:
    return [one.name for one in watch.seen if one.failures]


def test_a_cast_is_blamed_and_what_follows_it_is_not() -> None:
    watch, result = watched(FLOAT32, lambda x: (x * 3).bfloat16().float().exp() + 1)
    assert blamed(watch) == ["aten._to_copy.default"]
    assert [one.number for one in watch.seen] == [1, 2, 3, 4, 5]
    exp = watch.seen[3]
    assert exp.inherited > 100 * exp.size
    assert "float32[20, 30]" in exp.operands
    assert not torch.equal(watch.shadows.get(result).float(), result)


def test_sound_code_is_not() -> None:
    watch, _ = watched(BFLOAT16, lambda x: torch.softmax(x @ x.t(), 0).sum(0).float().to(torch.bfloat16).sqrt())
    assert blamed(watch) == []


def test_bits_that_are_cut_off_are_seen() -> None:
    watch, _ = watched(FLOAT32, lambda x: (x.view(torch.int32) & ~0xFFFF).view(torch.float32))
    assert blamed(watch) == ["aten.view.dtype"]
    whole, _ = watched(FLOAT32, lambda x: x.view(torch.int32).clone().view(torch.float32))
    assert blamed(whole) == []


def test_in_place_operations_are_judged_by_what_they_had() -> None:
    def code(x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y[3:].mul_(0.3).add_(x[3:])
        return y

    watch, result = watched(FLOAT32, code)
    assert blamed(watch) == []
    error = (watch.shadows.get(result) - result.double()).abs().max()
    assert 0 < float(error) < 1e-6


def test_operations_of_other_libraries_are_not_looked_into() -> None:
    with torch.library._scoped_library("mpcheck_watched", "DEF") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x + x, "CPU")
        watch, _ = watched(FLOAT32, torch.ops.mpcheck_watched.twice)
    assert watch.skipped == {"mpcheck_watched.twice.default": 1}


def test_what_makes_a_number_none_is_marked() -> None:
    watch, _ = watched(FLOAT32, lambda x: (x * float("nan")) + 1)
    assert [one.breaks for one in watch.seen] == [True, False]
