"""What goes with a structure is read under every name it has, checked, and never lost in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from mpcheck._errors import InputError
from mpcheck.systems.inputs import ModelInput, Taken, take_inputs, values_of, with_inputs
from mpcheck.systems.resolve import resolve_system

CHARGE = ModelInput("total_charge", default=0.0, stated=True, least=-2, most=2)
SPIN = ModelInput("total_spin", default=1.0, stated=True)
LABEL = ModelInput("label", keys=("my_label",), per_atom=True)
FIELD = ModelInput("external_field", width=3, stated=True)


def water(**info: Any) -> Atoms:
    return Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], info=info)


def take(frames: Sequence[Atoms], *takes: ModelInput, heads: Sequence[str] = ("Default",)) -> Taken:
    return take_inputs(frames, takes, heads, "system s.xyz")


@pytest.mark.parametrize("name", ["total_charge", "charge", "net_charge", "tot_charge", "REF_total_charge", "Charge", "CHARGE"])
@pytest.mark.parametrize("value", [-1, -1.0, "-1", np.array([-1])])
def test_every_name_of_a_charge_reaches_the_model(name: str, value: Any) -> None:
    taken = take([water(**{name: value})], CHARGE)
    assert values_of(taken.frames[0]) == {"total_charge": -1.0}
    assert taken.notes == (f"total_charge is read from {name}",)


@pytest.mark.parametrize("name", ["spin", "total_spin", "multiplicity", "spin_multiplicity"])
def test_every_name_of_a_spin_reaches_the_model(name: str) -> None:
    assert values_of(take([water(**{name: 3})], SPIN).frames[0]) == {"total_spin": 3.0}


def test_columns_reach_the_model_also_where_ase_takes_them_for_results() -> None:
    frame = water()
    frame.arrays["my_label"] = np.array([0.1, 0.2, 0.3])
    frame.calc = SinglePointCalculator(frame, charges=np.array([1.0, -0.5, -0.5]))
    taken = take([frame], LABEL, ModelInput("charges", per_atom=True, stated=True))
    assert {k: v.tolist() for k, v in values_of(taken.frames[0]).items()} == {"charges": [1.0, -0.5, -0.5], "label": [0.1, 0.2, 0.3]}


def test_what_is_lacking_is_said_with_its_default() -> None:
    taken = take([water(charge=1), water()], CHARGE, SPIN, LABEL)
    assert taken.notes == (
        "total_charge is read from charge of 1 of 2 structures; in the others upstream's default 0",
        "total_spin is in no structure: upstream's default 1",
        "label is in no structure: upstream has no default, so 0",
    )
    assert [values_of(f) for f in taken.frames] == [{"total_charge": 1.0}, {}]


def test_what_the_model_cannot_use_is_said() -> None:
    frame = water(charge=1, electric_field=[0, 0, 1], energy_of_mine=3.0, Head="pbe")
    taken = take([frame])
    assert taken.notes == (
        "charge of the structures does not reach the model, which takes no total_charge",
        "electric_field of the structures does not reach the model, which takes no external_field",
        "head pbe of the structures does not reach the model, which has one head",
    )
    assert values_of(taken.frames[0]) == {}


@pytest.mark.parametrize(
    ("info", "takes", "said"),
    [
        ({"charge": 1, "total_charge": 0}, CHARGE, "total_charge and charge differ"),
        ({"charge": 1, "Charge": 2}, CHARGE, "charge and Charge differ"),
        ({"charge": 3}, CHARGE, "charge is 3, which the model has no class for (whole numbers from -2 to 2)"),
        ({"charge": 0.5}, CHARGE, "charge is 0.5, which the model has no class for"),
        ({"spin": "high"}, SPIN, "spin is 'high' where one number belongs"),
        ({"spin": float("nan")}, SPIN, "where one number belongs"),
        ({"spin": [1, 2]}, SPIN, "where one number belongs"),
        ({"external_field": [0, 1]}, FIELD, "where 3 numbers belongs"),
    ],
)
def test_what_is_none_is_refused_with_its_name(info: dict[str, Any], takes: ModelInput, said: str) -> None:
    with pytest.raises(InputError) as caught:
        take([water(), water(**info)], takes)
    assert str(caught.value).startswith("system s.xyz frame 1: ") and said in str(caught.value)


def test_frames_go_to_their_heads_or_through_all_in_turn() -> None:
    heads = ("a", "b", "c")
    assert [f.info["head"] for f in take([water()] * 4, heads=heads).frames] == ["a", "b", "c", "a"]
    named = take([water(head="b"), water(), water(head="b")], heads=heads)
    assert [f.info["head"] for f in named.frames] == ["b", "b", "b"]
    assert named.notes == ("head is in 2 of 3 structures: the others go to b",)
    assert take([water(head="c")], heads=heads).notes == ("head is read from the structures",)
    assert take([water(Head="c")], heads=heads).frames[0].info["head"] == "c"
    with pytest.raises(InputError, match="frame 0: head, Head differ"):
        take([water(head="a", Head="b")], heads=heads)
    with pytest.raises(InputError, match=r"frame 0: head 'd' is none of the model's"):
        take([water(head="d")], heads=heads)


def test_two_charges_are_two_systems(tmp_path: Path) -> None:
    digests = set()
    for charge in (0, 1):
        write(tmp_path / f"{charge}.xyz", water(charge=charge), format="extxyz")
        digests.add(resolve_system(str(tmp_path / f"{charge}.xyz"), ["H", "O"], 3.0, takes=(CHARGE,)).digest)
    assert len(digests) == 2
    plain = {resolve_system(str(tmp_path / f"{charge}.xyz"), ["H", "O"], 3.0).digest for charge in (0, 1)}
    assert len(plain) == 1 and not plain & digests, "a model that takes no charge has one structure"


def test_copies_bring_what_the_original_brought() -> None:
    frame = take([water(charge=1)], CHARGE).frames[0]
    frame.arrays["label"] = np.array([1.0, 2.0, 3.0])
    made = with_inputs(Atoms("H2O", np.zeros((3, 3))), frame, np.array([1, 2, 0]))
    assert made.info == {"total_charge": 1.0} and made.arrays["label"].tolist() == [2.0, 3.0, 1.0]
