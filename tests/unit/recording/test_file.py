"""The header of a file of recorded calls tells whose they are."""

from __future__ import annotations

from pathlib import Path

import torch

import mpcheck
from mpcheck.recording.file import described
from mpcheck.systems.recorded import RecordedFile
from tests.unit.recording.samples import recorded, small


def test_the_header_names_the_model_and_the_versions(tmp_path: Path) -> None:
    model = small().float()
    header = RecordedFile(recorded(tmp_path / "m.capture", model=model, dtype=torch.float32)).header
    assert header.model == described(model)
    assert (header.model.kind, header.model.elements, header.model.heads) == ("ScaleShiftMACE", ["H", "O"], ["Default"])
    assert (header.model.dtype, header.model.device, header.model.r_max) == ("float32", "cpu", 4.0)
    assert {"e3nn", "mace"} <= set(header.model.by)
    assert header.mpcheck == mpcheck.__version__
    assert header.packages["torch"] == torch.__version__.partition("+")[0] or header.packages["torch"] == torch.__version__


def test_other_weights_have_another_fingerprint() -> None:
    one, other = small(), small(weights_seed=4)
    assert described(one).sha256 == described(small()).sha256 != described(other).sha256
