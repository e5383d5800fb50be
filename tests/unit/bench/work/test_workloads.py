"""Workloads of the built-in model: which there are, that they do what they say, and that nothing global stays changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.keys import BLOCK_WORK, MODEL_WORK, BenchKey, check_work
from mpcheck.bench.work.workloads import UnsupportedError, Workloads
from mpcheck.records.environment import ambient_flags
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water"


def workloads(cache: Path, blocks: tuple[str, ...] = (), formats: tuple[str, ...] = ("float32",), **changes: Any) -> Workloads:
    options = Options(model="builtin:hco", systems=(SYSTEM,), backends=("e3nn",), formats=formats, blocks=blocks, cache=cache)
    return Workloads(Session(options), **changes)


@pytest.fixture(scope="module")
def every(cache: Path) -> Workloads:
    return workloads(cache, formats=("float64", "float32", "tf32", "bfloat16", "float16"))


@pytest.fixture(autouse=True)
def nothing_global_changes() -> Iterator[None]:
    flags, seed, threads, grad = ambient_flags(), torch.random.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled()
    yield
    assert (ambient_flags(), torch.get_num_threads(), torch.is_grad_enabled()) == (flags, threads, grad)
    assert torch.equal(torch.random.get_rng_state(), seed)


def key(subject: str, work: str, fmt: str = "float32", batch: int = 1) -> BenchKey:
    return BenchKey(SYSTEM, batch, subject, "e3nn", fmt, check_work((work,))[0])


def test_every_block_and_the_model_once_for_each_work(every: Workloads) -> None:
    keys = every.keys()
    assert len({k.id for k in keys}) == len(keys)
    assert {k.work for k in keys if k.subject != "model"} == set(BLOCK_WORK)
    assert {k.work for k in keys if k.subject == "model"} == set(MODEL_WORK)
    assert [k.subject == "model" for k in keys] == sorted(k.subject == "model" for k in keys), "the model last"
    subjects = {k.subject for k in keys}
    assert {"products.0.linear", "interactions.0", "readouts.0.linear", "model"} <= subjects
    assert len(keys) == len(subjects) * 5 * 2


@pytest.mark.parametrize(
    ("blocks", "works", "expected"),
    [
        (("model",), MODEL_WORK, {("model", "energy"), ("model", "energy+forces")}),
        (("products.0.linear",), ("forward",), {("products.0.linear", "forward")}),
        (
            ("products.?.linear", "mod*"),
            ("forward", "energy"),
            {("products.0.linear", "forward"), ("products.1.linear", "forward"), ("model", "energy")},
        ),
        (("products.0.linear",), ("energy",), set()),
    ],
)
def test_what_is_chosen(blocks: tuple[str, ...], works: Any, expected: set[tuple[str, str]], cache: Path) -> None:
    keys = workloads(cache, blocks, works=works).keys()
    assert {(k.subject, k.work) for k in keys} == expected


def test_bad_choices_are_one_line(cache: Path) -> None:
    with pytest.raises(InputError, match=r"no block matches 'nope'; `mpcheck blocks builtin:hco` lists them, e\.g\. \w+"):
        workloads(cache, ("nope",)).keys()
    with pytest.raises(InputError, match=r"batch 0: a batch repeats a system at least once"):
        workloads(cache, batches=(0,))
    with pytest.raises(InputError, match=r"unknown work 'train'; choose from forward, forward\+backward, energy, energy\+forces"):
        check_work(("forward", "train"))
    assert check_work(("energy", "forward", "energy")) == ("forward", "energy")


@pytest.mark.parametrize("fmt", ["float64", "float32", "bfloat16"])
def test_a_block_computes_in_its_format_and_the_same_every_time(every: Workloads, fmt: str) -> None:
    dtype = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}[fmt]
    with every.opened(key("products.0.linear", "forward", fmt)) as workload:
        first, second = workload.call(), workload.call()
        assert first.dtype == dtype and not first.requires_grad
        assert torch.equal(first, second)
        assert workload.first_call > 0 and workload.device.type == "cpu"


def test_backward_gives_every_gradient(every: Workloads) -> None:
    with every.opened(key("products.0.linear", "forward+backward")) as workload:
        gradients = [g for g in workload.call() if g is not None]
    assert len(gradients) >= 2 and all(torch.isfinite(g).all() and g.abs().max() > 0 for g in gradients), "inputs and weights"


def test_the_whole_model_is_the_model(every: Workloads) -> None:
    with every.opened(key("model", "energy+forces", "float64")) as workload:
        once, again = workload.call(), workload.call()
    assert torch.equal(once["energy"], again["energy"]) and once["forces"] is not None and once["forces"].abs().max() > 0
    with every.opened(key("model", "energy", "float64")) as workload:
        alone = workload.call()
    assert torch.allclose(alone["energy"], once["energy"]) and alone["forces"] is None


def test_a_batch_repeats_the_frames(cache: Path) -> None:
    found = workloads(cache, ("model",), formats=("float64",), batches=(1, 3, 1), works=("energy",))
    keys = found.keys()
    assert [k.batch for k in keys] == [1, 3]
    energies = []
    for batch in (1, 3):
        with found.opened(key("model", "energy", "float64", batch)) as workload:
            energies.append(workload.call()["energy"].detach())
    assert torch.allclose(energies[1], energies[0].repeat(3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="tf32 exists there")
def test_what_has_no_latency_here_says_so(every: Workloads) -> None:
    with pytest.raises(UnsupportedError, match="emulated on a CPU"), every.opened(key("products.0.linear", "forward", "tf32")):
        pass


def test_a_system_that_the_model_cannot_take_a_gradient_of_says_so(every: Workloads) -> None:
    told, keys = {}, every.keys()
    for k in keys:
        if k.format == "float64" and k.work == "forward+backward":
            try:
                with every.opened(k) as workload:
                    workload.call()
            except UnsupportedError as error:
                told[k.subject] = str(error)
    assert not [reason for reason in told.values() if reason.startswith("raised ")], told
    assert set(told.values()) <= {"no gradient: nothing in it depends on a floating-point input"}, told


def test_a_callers_error_passes_through_and_gives_everything_back(every: Workloads) -> None:
    with pytest.raises(ZeroDivisionError), every.opened(key("products.0.linear", "forward", "bfloat16")):
        raise ZeroDivisionError
