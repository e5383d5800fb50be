"""Models that were saved after a conversion come back as the e3nn model that they were, or not at all."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.load import load_model, load_object
from mpcheck.adapters.stored import converted
from mpcheck.adapters.upstream import environment_restored, quiet
from tests.unit.adapters.loading import SAFE, refusal

with environment_restored(SAFE), quiet():
    from mace.calculators.lammps_mliap_mace import LAMMPS_MLIAP_MACE
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit"), pytest.mark.usefixtures("nothing_global_changes")]


@pytest.fixture
def twin(tiny_cueq: CueqModel) -> torch.nn.Module:
    return copy.deepcopy(tiny_cueq.model)


@pytest.mark.parametrize("exported", [False, True])
def test_a_converted_model_is_converted_back(tiny: torch.nn.Module, twin: torch.nn.Module, tmp_path: Path, exported: bool) -> None:
    torch.save(LAMMPS_MLIAP_MACE(twin) if exported else twin, tmp_path / "twin.model")
    loaded = load_model(str(tmp_path / "twin.model"))
    assert converted.conversions(loaded.module) == []
    assert loaded.source["conversion"].startswith("saved as a model of cuEquivariance (")
    original, state = load_object(tiny).module.state_dict(), loaded.module.state_dict()
    assert original.keys() == state.keys()
    for name, tensor in original.items():  # all but the weights of contractions bit by bit
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=1e-14 if "contractions" in name else 0)


def test_what_does_not_come_back_is_refused(twin: torch.nn.Module, tmp_path: Path) -> None:
    twin.readouts[0].extra = torch.nn.Parameter(torch.ones(1))  # type: ignore[index,union-attr]  # a parameter that upstream's converter has no place for
    torch.save(twin, tmp_path / "extra.model")
    message = refusal(str(tmp_path / "extra.model"))
    assert "does not bring back all of it: extra readouts.0.extra" in message


@pytest.mark.parametrize("what", ["setting", "class"])
def test_a_changed_setting_or_class_is_refused(twin: torch.nn.Module, tmp_path: Path, what: str) -> None:
    if what == "setting":
        twin.interactions[1].avg_num_neighbors = 3.25  # type: ignore[index,union-attr]
        twin.radial_embedding.apply_cutoff = False  # type: ignore[union-attr]  # not among what upstream's converter reads
    else:
        twin.radial_embedding.cutoff_fn = _Other(twin.radial_embedding.cutoff_fn)  # type: ignore[union-attr,arg-type]
    assert what in refusal_of(twin)


def refusal_of(model: torch.nn.Module) -> str:
    from mpcheck._errors import InputError

    with pytest.raises(InputError) as caught:
        load_object(model)
    return str(caught.value)


class _Other(torch.nn.Module):
    """A cut-off of somebody's own, which the converter replaces by upstream's."""

    __module__ = "mace.modules.radial"

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.register_buffer("p", inner.p)


def test_two_packages_at_once_have_no_way_back(twin: torch.nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converted, "conversions", lambda _: [converted.CUEQ, converted.OEQ])
    assert "no way back; give the e3nn model" in refusal_of(twin)
