"""The environment that figures belong to."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.records import environment
from mpcheck.records.document import Environment


def test_what_is_described_is_what_records_take() -> None:
    told = Environment.model_validate(environment.describe("cpu"))
    assert told.threads == torch.get_num_threads() and told.packages["torch"] == version("torch")
    assert told.gate is None and re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", told.date)


def test_a_slug_is_a_name_of_a_directory_and_tells_vector_instructions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cpu_name", lambda: "AMD EPYC/7763 (64-Core)")
    slugs = []
    for instructions in ("AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda name=instructions: name)
        slugs.append(environment.device_slug("cpu"))
    assert slugs == ["cpu-amd-epyc-7763-64-core-avx2", "cpu-amd-epyc-7763-64-core-avx512"]


def test_a_named_commit_goes_before_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPCHECK_COMMIT", "0123456789abcdef")
    assert environment.commit() == "0123456789ab"


@pytest.mark.parametrize("text", ["{", "[]", '{"base": "a"}', "null"])
def test_a_damaged_word_of_a_gate_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.GATED, text)
    with pytest.raises(InputError, match="set by `mpcheck gate` alone"):
        environment.gated()
    monkeypatch.setenv(environment.GATED, '{"base": "a", "head": "b"}')
    assert environment.gated() == {"gate": {"base": "a", "head": "b"}}
