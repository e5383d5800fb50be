"""A golden file that another program wrote, or that is too large, is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mpcheck._errors import InputError
from mpcheck._files.io import sha256_file
from mpcheck.checks.golden import MAX_BYTES, load_golden

CHEAP = settings(max_examples=60, deadline=None)


TENSORS = st.sampled_from([torch.ones(3, dtype=torch.bfloat16), torch.tensor(1), torch.full((2, 2), -5), torch.full((1,), 2**62)])
NAMES = st.sampled_from(["numbers", "positions", "cells", "pbc", "counts", "noise:energy", "value:x"])


@CHEAP
@given(changes=st.dictionaries(NAMES, st.none() | TENSORS))
def test_golden_file_of_other_tensors_with_a_fitting_checksum(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, torch.Tensor | None]
) -> None:
    path = tmp_path_factory.getbasetemp() / "forged.safetensors"
    manifest = path.with_suffix(".json")
    tensors: dict[str, torch.Tensor | None] = {
        "numbers": torch.tensor([1, 1]), "positions": torch.arange(6.0).reshape(2, 3), "cells": torch.zeros(1, 3, 3),
        "pbc": torch.zeros(1, 3, dtype=torch.uint8), "counts": torch.tensor([2]), "value:energy": torch.ones(1), "noise:energy": torch.ones(1),
    }  # fmt: skip
    save_file({k: t.clone() for k, t in (tensors | changes).items() if t is not None}, path)
    manifest.write_text(json.dumps({"schema": 1, "sha256": sha256_file(path)}), encoding="utf-8")
    try:
        golden = load_golden((path, manifest))
    except InputError as error:
        if not changes or str(path) not in str(error):
            raise
    else:
        assert golden.values.keys() == golden.noise.keys()
        assert changes or golden.frames == (Atoms("H2", [[0, 1, 2], [3, 4, 5]]),)


def test_a_golden_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    path, manifest = tmp_path / "huge.safetensors", tmp_path / "huge.json"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)  # sparse: takes no space
    manifest.write_text(json.dumps({"schema": 1, "sha256": "x"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"huge\.safetensors is larger than 64 MiB"):
        load_golden((path, manifest))
