"""Whether what was compiled ran."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters import compiler
from mpcheck.adapters.compiler import EAGER, FOLDER, Compiler, for_blocks, kept_at, refused, strict_settings
from mpcheck.adapters.compiling import UNTRACED, compiled_block


class Scaled(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([2.0, 3.0], dtype=torch.float64))

    def forward(self, x: torch.Tensor, power: int = 2) -> torch.Tensor:
        return (self.weight * x) ** power


def test_runs_of_compiled_code_are_counted_and_gradients_are_right() -> None:
    watched, module, told = Compiler("aot_eager"), Scaled(), list[str]()
    call = compiled_block(module, watched, True, told.append)
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(call(x), module(x)) and not call(x, power=3).requires_grad
    leaf = x.clone().requires_grad_(True)
    out = call(leaf)
    for _ in range(2):  # with the graph kept
        (gradient,) = torch.autograd.grad(out.sum(), [leaf], retain_graph=True)
    assert torch.equal(gradient, 2 * module.weight.detach() ** 2 * x)
    assert watched.runs == 3 and watched.graphs == 2 and told == ["", "", ""]  # one for each power, and none for the lack of gradients
    assert watched.note == f"aot_eager: 2 graphs of {watched.operations} operations" and watched.operations >= 4


def test_code_that_nothing_compiled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    watched = Compiler("aot_eager")
    compiled_block(Scaled(), watched, True, told.append)(torch.ones(1, 2, dtype=torch.float64))
    assert told == [EAGER] and watched.note == ""


def test_a_graph_that_inductor_hands_back_uncompiled_is_no_run_of_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.compile_fx as inductor

    def back(graph: torch.fx.GraphModule, examples: Any, **_: Any) -> Any:
        return graph.forward

    monkeypatch.setattr(inductor, "compile_fx", back)
    told = list[str]()
    compiled_block(Scaled(), Compiler(), True, told.append)(torch.ones(1, 2, dtype=torch.float64))
    assert told == [EAGER]


def test_inductor_is_known_by_what_it_counts() -> None:
    told = list[str]()
    watched, module = Compiler(), Scaled()
    x = torch.ones(1, 2, dtype=torch.float64)
    assert torch.allclose(compiled_block(module, watched, True, told.append)(x), module(x))
    assert told == [""] and watched.runs == 1


def test_settings_are_put_back() -> None:
    import torch._dynamo.config as dynamo
    import torch._functorch.config as functorch

    before = dynamo.recompile_limit, functorch.donated_buffer
    with for_blocks():
        assert dynamo.recompile_limit == compiler.MOST_RECOMPILATIONS and not functorch.donated_buffer
    assert (dynamo.recompile_limit, functorch.donated_buffer) == before


def test_what_is_compiled_is_kept_where_the_cache_is_unless_the_user_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    with kept_at(tmp_path):
        assert os.environ[FOLDER] == str(tmp_path)
    assert FOLDER not in os.environ
    monkeypatch.setenv(FOLDER, default_cache_dir())
    with kept_at(tmp_path):
        assert os.environ[FOLDER] == str(tmp_path) == cache_dir()
    monkeypatch.setenv(FOLDER, "/mine")
    with kept_at(tmp_path):
        assert os.environ[FOLDER] == "/mine"


def test_strict_numerics_are_torchs_own_where_it_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as config

    settings = strict_settings()
    if isinstance(settings, dict):
        with config.patch(settings):
            assert config.emulate_precision_casts
    monkeypatch.setattr(compiler.importlib, "import_module", lambda _: SimpleNamespace(get_config_copy=dict))
    lacking = strict_settings()
    assert isinstance(lacking, Unsupported) and "has no strict numerics" in lacking.text


def test_a_compilers_refusal_is_told_from_a_fault() -> None:
    import torch._dynamo.exc as errors

    assert refused(errors.UserError(errors.UserErrorType.DYNAMIC_CONTROL_FLOW, "no"))
    assert not refused(ValueError("wrong"))


class Untraceable(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch._dynamo.graph_break()
        return x


class Wrong(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x


def test_what_dynamo_cannot_trace_is_missing_and_what_is_wrong_is_not() -> None:
    """`unsupported` of a block; a block that raises by itself is red in a variant as well."""
    told: list[str] = []
    found = attempt(lambda: compiled_block(Untraceable(), Compiler("aot_eager"), True, told.append)(torch.ones(1, 2)))
    assert isinstance(found, Raised) and found.missing and UNTRACED in found.text
    assert attempt(lambda: Wrong()(torch.ones(1, 2)))
    wrong = attempt(lambda: compiled_block(Wrong(), Compiler("aot_eager"), False, told.append)(torch.ones(1, 2)))
    assert isinstance(wrong, Raised) and not wrong.missing
