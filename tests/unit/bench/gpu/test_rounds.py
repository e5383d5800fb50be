"""Which rounds count."""

from __future__ import annotations

import contextlib

import pynvml
import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.gpu.rounds import judged_rounds
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda
from tests.fakes.gpus import GPU, POWER_CAP, board
from tests.fakes.nvml import FakeNvml


def test_rounds_are_judged_by_the_states_around_them() -> None:
    now, only = [0.0], board()
    nvml = FakeNvml([only])
    with judged_rounds(GPU, clock=lambda: now[0], interval=None, cuda=FakeCuda(uuid=only.uuid), api=nvml) as rounds:
        watch = rounds._watch
        assert watch is not None and rounds.reason == ""
        for number in range(5):
            now[0] += 1.0
            with contextlib.suppress(UnsupportedError), rounds.round():
                now[0] += 0.5
                if number == 4:
                    raise UnsupportedError("no round")
            now[0] += 1.0
            only.mask, only.sm = (POWER_CAP, 1215) if number == 2 else (0, 1980)
            watch.sample()
        assert rounds.kept() == [0, 1], "the rounds before and after the throttled state are out, and half of them is not too many"
        only.mask = POWER_CAP
        with rounds.round():
            now[0] += 1.0
        with pytest.raises(InputError, match=r"GPU 0 throttled in 3 of 5 rounds \(SwPowerCap at 1,215 of 1,980 MHz\)"):
            rounds.kept()
    assert nvml.opened == 0


def test_rounds_of_a_cpu_or_of_an_unknown_gpu_all_count() -> None:
    unknown = FakeNvml([], start=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    for device, told in ((torch.device("cpu"), ""), (GPU, "no NVML")):
        with judged_rounds(device, **({} if device.type == "cpu" else {"cuda": FakeCuda(), "api": unknown})) as rounds:
            for _ in range(3):
                with rounds.round():
                    pass
        assert rounds.kept() == [0, 1, 2] and rounds.conditions() == [None] * 3 and rounds.reason.startswith(told)
