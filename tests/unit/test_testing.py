"""Assertions for other projects: what they judge, what they say, what they leave alone; the examples of their page."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.backends.e3nn import E3nnBackend, E3nnModel
from mpcheck.adapters.backends.protocol import backends
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.load import load_model
from mpcheck.testing import FORMATS, assert_backend, assert_model
from tests.unit.docs_reading import DOCS
from tests.unit.toy_backend import Toy

LINEAR = "products.0.linear"
EXAMPLES = re.findall(r"```python\n(.*?)```", (DOCS / "testing.md").read_text(encoding="utf-8"), re.DOTALL)


class Skewed(E3nnBackend):
    """Off by a thousandth in one block."""

    name = "skewed"

    def build(self, model: torch.nn.Module, device: torch.device) -> E3nnModel:
        class Model(E3nnModel):
            def call(self, block: Block, arguments: Any) -> Any:
                found = super().call(block, arguments)
                return found * 1.001 if block.name == LINEAR else found

        built = Model(model, device)
        built.name = self.name
        return built


@pytest.fixture
def model() -> torch.nn.Module:
    return copy.deepcopy(load_model("builtin:hco").module).to(torch.float32)


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(cache))


def test_a_backend_object_is_judged_without_an_entry_point() -> None:
    found = assert_backend(Toy("mine"), blocks=(LINEAR,))
    assert {i.check for i in found} == {"precision", "engagement", "layout"}
    assert {i.format for i in found} == set(FORMATS) and {i.backend for i in found} == {"mine"}
    assert {i.system for i in found} == {"builtin:water"} and {i.verdict for i in found} == {"pass"}
    assert "mine" not in backends()


def test_a_failure_names_block_tensor_and_ratio() -> None:
    with pytest.raises(AssertionError) as told:
        assert_backend(Skewed(), blocks=(LINEAR, "products.0"), formats=("float32",), checks=("precision",))
    first, second, *_ = str(told.value).splitlines()
    assert re.fullmatch(r"backend skewed: \d+ of 4 failed", first)
    assert re.match(
        r"  products\.0\.linear \(precision, skewed, float32, forward, builtin:water\): out, "
        r"[\d.e+]+ times what is allowed \(ratio [\d.e+]+ ÷ limit [\d.]+\): out: ",
        second,
    )


def test_mixing_and_conversion_can_be_asked_for() -> None:
    found = assert_backend(Toy("mine"), blocks=(LINEAR,), formats=("float64",), checks=("mix",))
    assert {i.backend for i in found} == {"e3nn+mine", "mine+e3nn"}


def test_a_backend_that_is_not_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toy, "unavailable", lambda *_: "the licence server is down")
    with pytest.raises(AssertionError, match="required: the licence server is down"):
        assert_backend(Toy("mine"), blocks=(LINEAR,), formats=("float32",), checks=("precision",))
    with pytest.raises(AssertionError, match="backend mine: nothing could be judged: the licence server is down"):
        assert_backend(Toy("mine"), blocks=(LINEAR,), formats=("float32",), checks=("precision",), require=())


def test_a_model_object_stays_as_it_is(model: torch.nn.Module) -> None:
    before = {n: t.clone() for n, t in model.state_dict().items()}
    default = torch.get_default_dtype()
    found = assert_model(model, blocks=(LINEAR,), formats=("float32",))
    assert {i.subject for i in found} == {LINEAR} and len(found) == 2
    assert torch.get_default_dtype() == default
    after = model.state_dict()
    assert before.keys() == after.keys() and all(t.dtype == after[n].dtype and torch.equal(t, after[n]) for n, t in before.items())


def test_a_file_is_taken(model: torch.nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "my.model"
    torch.save(model, path)
    assert assert_model(path, blocks=(LINEAR,), formats=("float32",))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assert_backend("nobodys"), "unknown backend 'nobodys'"),
        (lambda: assert_backend(object()), "an object of class object is no backend"),  # type: ignore[arg-type]
        (lambda: assert_model(torch.nn.Linear(2, 2)), "model object holds a Linear, not a MACE model"),
        (lambda: assert_model(3), "model object holds a int, not a MACE model"),  # type: ignore[arg-type]
        (lambda: assert_model("no-such.model"), "model no-such.model does not exist"),
        (lambda: assert_model("builtin:hco", formats=("float8",)), "unknown format 'float8'"),
        (
            lambda: assert_model("builtin:hco", checks=("speed",)),
            "unknown check 'speed'; choose from precision, golden, small-twin, every-row, whole-model, captured",
        ),
        (lambda: assert_model("builtin:hco", blocks=("nothing",), formats=("float32",)), "no block matches 'nothing'"),
        (lambda: assert_backend("e3nn", require=("luck",)), "unknown capability luck"),
    ],
)
def test_bad_input_is_told_in_a_line(call: Any, message: str) -> None:
    with pytest.raises(InputError) as told:
        call()
    assert message in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("text", EXAMPLES, ids=[re.findall(r"def (\w+)", text)[0] for text in EXAMPLES])
def test_the_examples_of_the_page_run(text: str, model: torch.nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "my.model"
    torch.save(model, path)
    given: dict[str, Any] = {"model": model, "path": path}
    names: dict[str, Any] = {}
    exec(text, names)
    tests = [f for n, f in names.items() if n.startswith("test_")]
    assert tests
    for function in tests:
        function(**{n: given[n] for n in function.__code__.co_varnames[: function.__code__.co_argcount]})
