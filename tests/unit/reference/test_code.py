"""The code that makes references: upstream's, the model's, mpcheck's own part, torch's build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mpcheck.reference.code import code_of


def test_the_code_of_a_model_is_upstream_s_and_that_of_its_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = code_of(torch.nn.Linear(1, 1))
    assert {"mace", "e3nn"} <= {words.split()[0] for words in plain.packages} and plain.by[0].startswith("mace ")
    (tmp_path / "forky.py").write_text("import torch\n\n\nclass Own(torch.nn.Linear):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import forky  # type: ignore[import-not-found]

    own = code_of(torch.nn.Sequential(forky.Own(1, 1)))
    assert own.digest != plain.digest == code_of(torch.nn.ReLU()).digest
    assert any(words.startswith("forky ") for words in own.packages)


def test_mpcheck_s_own_part_and_torch_s_build_belong_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from mpcheck.reference import code

    def fresh() -> str:
        code._code.cache_clear()
        return code.code_of(torch.nn.ReLU()).digest

    before = fresh()
    places: dict[Callable[[], str], str] = {code.build: "build", code.own_content: "own_content"}
    for name in places.values():
        with monkeypatch.context() as patch:
            patch.setattr(code, name, lambda: "other")
            assert fresh() != before
    monkeypatch.setattr(torch.version, "git_version", "0" * 40)
    assert fresh() != before
    code._code.cache_clear()
