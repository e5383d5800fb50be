"""A model is recorded without anything of it, or of what it computes, being changed."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mpcheck
from mpcheck._errors import InputError
from mpcheck.systems.recorded import RecordedFile
from tests.unit.recording.samples import calculator, dynamics, graph, hooks, recorded, small


def test_dynamics_is_the_same_to_the_bit_and_no_hook_is_left(tmp_path: Path) -> None:
    """In float32 with stress, as upstream's calculator asks. Before the first comparison TorchScript compiles for what it has seen."""
    for calc in (calculator("float32"), calculator("float64")):
        dynamics(calc)
        alone = dynamics(calc)
        with mpcheck.capture(calc, tmp_path / "md.capture", every=3) as capture:
            assert hooks(calc.models[0]) > 10
            seen = dynamics(calc)
        np.testing.assert_array_equal(alone, seen)
        assert hooks(calc.models[0]) == 0
        assert (capture.seen, len(capture.stored)) == (7, 3)
        file = RecordedFile(tmp_path / "md.capture")
        assert [call.step for call in file.header.calls] == [0, 3, 6]
        assert all(call.flags["compute_stress"] and call.inputs for call in file.header.calls)


def test_gradients_of_a_training_step_are_the_same_to_the_bit(tmp_path: Path) -> None:
    def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
        out = model(graph(), training=True)
        loss = out["energy"].square().sum() + out["forces"].square().sum()
        return [g for g in torch.autograd.grad(loss, list(model.parameters()), allow_unused=True) if g is not None]

    model = small()
    for _ in range(3):
        alone = gradients(model)
    with mpcheck.capture(model, tmp_path / "t.capture"):
        seen = gradients(model)
    assert len(alone) > 5
    assert all(torch.equal(a, b) for a, b in zip(alone, seen, strict=True))


def test_hooks_go_when_the_script_raises_and_what_was_recorded_stays(tmp_path: Path) -> None:
    model = small()

    def explode() -> None:
        with mpcheck.capture(model, tmp_path / "x.capture"):
            model(graph())
            raise RuntimeError("exploded")

    with pytest.raises(RuntimeError, match="exploded"):
        explode()
    assert hooks(model) == 0
    assert len(RecordedFile(tmp_path / "x.capture").header.calls) == 1


def test_a_copy_made_meanwhile_is_not_recorded_and_needs_nothing_of_mpcheck(tmp_path: Path) -> None:
    """Checkpoints pickle models, and averages of weights copy them."""
    model, saved = small(), io.BytesIO()
    with mpcheck.capture(model, tmp_path / "c.capture") as capture:
        copy.deepcopy(model)(graph())
        torch.save(model, saved)
        assert capture.seen == 0
        model(graph())
        assert capture.seen == 1
    assert b"mpcheck" not in saved.getvalue()
    saved.seek(0)
    again = torch.load(saved, weights_only=False)
    assert torch.equal(again(graph())["energy"], model(graph())["energy"])


def test_two_recordings_of_one_model_at_a_time_are_refused_and_one_after_the_other_are_not(tmp_path: Path) -> None:
    model = small()
    with mpcheck.capture(model, tmp_path / "a.capture"):
        model(graph())
        with pytest.raises(InputError, match="being recorded already"), mpcheck.capture(model, tmp_path / "b.capture"):
            pass
        recorded(tmp_path / "other.capture")
    recorded(tmp_path / "b.capture", model=model)


def test_threads_record_each_their_own_calls(tmp_path: Path) -> None:
    model = small()
    graphs = [[graph() for _ in range(3)] for _ in range(3)]  # upstream's making of them sets torch's default type
    with mpcheck.capture(model, tmp_path / "t.capture", limit=5) as capture:
        threads = [threading.Thread(target=lambda own=own: [model(one) for one in own]) for own in graphs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (capture.seen, len(capture.stored)) == (9, 5)
    blocks = [[i.block for i in call.inputs] for call in RecordedFile(tmp_path / "t.capture").header.calls]
    assert blocks[0] and all(one == blocks[0] for one in blocks)


def test_a_compiled_model_is_recorded_without_its_blocks(tmp_path: Path) -> None:
    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = small()

        def forward(self, data: Any, **flags: Any) -> Any:
            return self.module(data, **flags)

    compiled: Any = torch.compile(Wrapped(), backend="eager")
    torch._dynamo.config.suppress_errors, before = True, torch._dynamo.config.suppress_errors
    try:
        with mpcheck.capture(compiled, tmp_path / "c.capture"):
            compiled(graph(), compute_force=False)
    finally:
        torch._dynamo.config.suppress_errors = before
        torch._dynamo.reset()
    (call,) = RecordedFile(tmp_path / "c.capture").header.calls
    assert call.edges > 100
    assert call.inputs == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.nn.Linear(2, 2), "Linear is no MACE model"),
        (lambda: "my.model", "str is no MACE model and no calculator"),
        (lambda: torch.jit.script(torch.nn.Linear(2, 2)), "scripted model takes no hooks"),
    ],
)
def test_what_takes_no_hooks_is_refused_in_one_line(make: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said), mpcheck.capture(make(), tmp_path / "x.capture"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_scripted_model_and_one_compiled_in_place_are_refused(tmp_path: Path) -> None:
    from e3nn.util import jit

    with pytest.raises(InputError, match="scripted model takes no hooks"), mpcheck.capture(jit.compile(small()), tmp_path / "x.capture"):
        pass
    model = small()
    model.compile(backend="eager")
    with pytest.raises(InputError, match="compiled in place"), mpcheck.capture(model, tmp_path / "x.capture"):
        pass


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, mpcheck; print(sorted(m for m in sys.modules if m.startswith(('mpcheck.', 'torch', 'mace', 'ase'))))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="has no attribute 'captures'"):
        mpcheck.captures  # noqa: B018
