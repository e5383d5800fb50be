"""The zoo holds every class and option of upstream's, every kind of structure, and nothing that it runs ends without a row that says so."""

from __future__ import annotations

import inspect
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.neighborlist import neighbor_list

from mpcheck._errors import InputError
from mpcheck.adapters.upstream import mace
from mpcheck.records.document import write_records
from tests.unit.record_samples import cell, run
from tests.zoo import entries, judging, models, structures, trained
from tests.zoo.design import MODELS_EACH, pairing
from tests.zoo.entries import Entry, chosen, standard
from tests.zoo.records import Row, Zoo, markdown, write_zoo
from tests.zoo.run import main

TABLE = models.table()
SET_BY_CONVERTERS = {"cueq_config", "oeq_config", "lammps_mliap"}
ALWAYS_GIVEN = {"num_elements", "atomic_numbers", "atomic_energies"}
FLOAT = Row(id="m", session="precision", structures=["water"], state="green")


def values(option: str) -> set[str]:
    return {repr(row.get(option)) for row in TABLE.values()}


@pytest.mark.parametrize("option", sorted({*inspect.signature(mace.modules.MACE).parameters} - SET_BY_CONVERTERS - ALWAYS_GIVEN))
def test_every_option_of_upstreams_constructor_has_several_values(option: str) -> None:
    assert len(values(option)) > 1


def test_every_class_is_there() -> None:
    exported = {name for name in mace.modules.__all__ if name.endswith("MACE")}
    assert exported <= {row["class"] for row in TABLE.values()}
    assert set(mace.modules.interaction_classes) == {row[k] for row in TABLE.values() for k in ("interaction_cls", "interaction_cls_first")}
    assert set(mace.modules.gate_dict) == {row["gate"] for row in TABLE.values()}
    written = {repr(row) for row in TABLE.values()}
    assert len(written) == len(TABLE) >= 60, "two rows are alike"


def test_settings_that_upstream_does_not_know_are_refused_by_it() -> None:
    with pytest.raises(TypeError, match="colour"):
        models.build("scalars", {**TABLE["scalars"], "colour": "red"})


def test_a_model_is_the_same_each_time_and_kept_in_its_type(tmp_path: Path) -> None:
    first, second = (models.build("stored-bfloat16", TABLE["stored-bfloat16"]).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert {t.dtype for t in first.values() if t.is_floating_point()} == {torch.bfloat16}
    assert models.save("scalars", tmp_path).is_file()


def test_there_are_all_bravais_lattices_and_all_sizes() -> None:
    every = {name: structures.build(name) for name in structures.STRUCTURES}
    lattices = {atoms.cell.get_bravais_lattice().name for atoms in every.values() if atoms.pbc.all() and len(atoms) == 1}
    assert len(lattices) == 14
    assert len(every) >= 40 and min(map(len, every.values())) == 1 and max(map(len, every.values())) == 200
    assert {tuple(atoms.pbc) for atoms in every.values()} >= {(False,) * 3, (True,) * 3, (True, True, False), (False, False, True)}
    assert {structure.rattled for structure in structures.STRUCTURES.values()} == {True, False}
    for name, atoms in every.items():
        nearest = neighbor_list("d", atoms, 3.0)
        assert len(nearest) and nearest.min() > 0.7, name


def test_a_structure_is_the_same_each_time_and_rattled_where_it_says_so() -> None:
    assert np.array_equal(structures.build("water").positions, structures.build("water").positions)
    moved = structures.build("graphene-rattled").positions - structures.build("graphene").positions
    assert 0.02 < np.abs(moved).max() < 0.5


def test_every_model_and_every_structure_has_a_partner() -> None:
    every = {entry.id: entry for entry in standard()}
    assert set(every) == {*TABLE, *trained.MODELS}
    counts = dict.fromkeys(structures.STRUCTURES, 0)
    for entry in every.values():
        assert entry.lacking or len(entry.structures) >= 2, entry.id
        for name in entry.structures:
            counts[name] += 1
    assert min(counts.values()) >= MODELS_EACH, counts
    assert standard() == standard()


def test_a_model_or_structure_without_a_partner_is_said() -> None:
    with pytest.raises(ValueError, match="no structure fits model alone"):
        pairing({"alone": ["H"]}, {"s": ["C"]})
    with pytest.raises(ValueError, match="no model has the elements of lost"):
        pairing({"m": ["H"]}, {"s": ["H"], "lost": ["C"]})


def test_models_are_chosen_by_pattern() -> None:
    every = standard()
    assert [e.id for e in chosen(every, ["two-heads", "trained-*"], False)] == ["two-heads", *trained.MODELS]
    smoke = chosen(every, [], True)
    assert 0 < len(smoke) < 10 and all(len(e.structures) == 1 for e in smoke)
    with pytest.raises(InputError, match="no model of the zoo matches 'unicorn'"):
        chosen(every, ["unicorn"], False)


def test_models_of_older_releases_are_read_by_their_elements_and_what_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(release: str, out: Path) -> list[Path]:
        if release == "0.0.2":
            raise OSError("no such release")
        return [models.save("scalars", out).rename(out / f"{release}-small.model")]

    older = types.ModuleType("tests.zoo.older")
    older.__dict__.update(RELEASES=("0.0.1", "0.0.2"), NAMES=("small",), BACKENDS={"small": ("e3nn", "cueq")}, make=make)
    monkeypatch.setitem(sys.modules, "tests.zoo.older", older)
    made, failed = entries.older(tmp_path)
    assert [(e.id, e.structures, e.file) for e in made] == [("older-0.0.1-small", ("cubic", "face-centred"), tmp_path / "0.0.1-small.model")]
    assert made[0].model(tmp_path / "elsewhere") == made[0].file
    assert made[0].backends == ("e3nn", "cueq")
    assert failed == {"older-0.0.2": "OSError: no such release"}
    assert entries.older(tmp_path, ["older-0.0.1-*"])[1] == {}, "a release that nobody asked for is not fetched"
    assert entries.older(tmp_path, ["scalars"]) == ([], {})


def test_older_models_have_the_names_that_their_maker_gives_them() -> None:
    from tests.zoo.older import BACKENDS, NAMES
    from tests.zoo.older_models import MODELS

    assert tuple(MODELS) == NAMES and set(BACKENDS) <= set(NAMES)


def test_the_command_refuses_unknown_models(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["unicorn", "--out", str(tmp_path)]) == 2
    assert "unicorn" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("verdict", "status", "red"), [("pass", 0, 0), ("fail", 1, 1), ("pass", 1, 1), ("known-fault", 2, 1)])
def test_a_row_is_green_where_records_and_status_say_so(verdict: str, status: int, red: int, tmp_path: Path) -> None:
    path = tmp_path / "precision.json"
    write_records(path, run(cell(verdict=verdict, reason="off [known fault x-y of mace-torch <=0.3.16]")))
    row = judging.concluded(FLOAT, status, path, "")
    assert (row.state == "red", len(row.red), row.cells) == (bool(red), red, 1)
    assert row.known == (["x-y"] if verdict == "known-fault" else [])


def test_what_leaves_no_records_or_does_not_end_is_red(tmp_path: Path) -> None:
    assert "no records, status 139: last words" in judging.concluded(FLOAT, 139, tmp_path / "none.json", "last words\n\n").red[0]
    assert "did not end" in judging.concluded(FLOAT, None, tmp_path / "none.json", "").red[0]
    write_records(tmp_path / "precision.json", run(cell()).model_copy(update={"state": "running"}))
    assert judging.concluded(FLOAT, 0, tmp_path / "precision.json", "").state == "red"


def test_a_session_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "LIMIT", 0.5)
    status, said = judging._ended([sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(60)"], tmp_path)
    assert status is None and said == "begun\n"


def test_a_model_that_cannot_be_made_is_red_in_every_session(tmp_path: Path) -> None:
    rows = judging.judged(Entry("unicorn", ("water",)), ("precision", "audit"), ("float64",), tmp_path)
    assert [(row.session, row.state) for row in rows] == [("precision", "red"), ("audit", "red")] and "unicorn" in rows[0].red[0]
    assert judging.judged(Entry("unicorn", (), lacking="horn"), ("audit",), (), tmp_path)[0].state == "not built"


@pytest.mark.parametrize(("status", "records", "state"), [(2, False, "refused"), (0, True, "red"), (1, False, "red")])
def test_a_model_that_is_to_be_refused_must_be(status: int, records: bool, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_ended", lambda *_: (status, "said"))
    if records:
        write_records(tmp_path / "audit.json", run(cell()))
    row = judging.run(Entry("m", ("water",), refused="no energy"), "audit", ("float64",), tmp_path / "m.model", [], tmp_path)
    assert row.state == state


def test_the_table_has_red_rows_first(tmp_path: Path) -> None:
    bad = FLOAT.model_copy(update={"id": "z", "state": "red", "red": ["too far"], "command": "mpcheck run z.model"})
    found = Zoo(mpcheck="0", environment={}, rows=[FLOAT.model_copy(update={"known": ["x-y"]}), bad])
    text = markdown(found)
    assert text.index("| z |") < text.index("| m |") and "too far" in text and "mpcheck run z.model" in text and "- x-y: 1" in text
    write_zoo(tmp_path, found)
    assert Zoo.model_validate_json((tmp_path / "zoo.json").read_text()) == found
    assert not found.green and Zoo(mpcheck="0", environment={}, rows=[FLOAT]).green and not Zoo(mpcheck="0", environment={}, rows=[]).green


def test_training_sets_depend_on_the_charge_and_forces_are_the_energys_derivative() -> None:
    frames = trained.labelled(12, 0, charged=True)
    assert {atoms.info["total_charge"] for atoms in frames} == {-1, 0, 1}
    assert all(np.abs(atoms.arrays["REF_forces"].sum(0)).max() < 1e-9 for atoms in frames)
