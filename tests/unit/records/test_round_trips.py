"""Records and baselines come back as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.history.ratios import Baseline, read_baseline, write_baseline
from mpcheck.records.detail import Latency, figures
from mpcheck.records.document import Environment, JudgedModel, JudgedSystem, Records, Reference, read_records, write_records
from mpcheck.records.record import Part, Planned, Record
from mpcheck.records.tensors import Group, Number, Quantity, Tensors, Worst

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.none() | FINITE
TEXT = st.text(max_size=8)
WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)  # what is read back: see mpcheck._files.documents
PLAIN = st.dictionaries(TEXT, st.none() | st.booleans() | WHOLE | FINITE | TEXT, max_size=3)
GROUP = st.builds(Group, name=TEXT, rms=NUMBER, limit=NUMBER)
WORST = st.builds(Worst, place=TEXT, value=NUMBER, expected=NUMBER, allowed=NUMBER)
NUMBERS = {name: NUMBER for name, field in Quantity.model_fields.items() if field.annotation == Number}
NUMBERS |= {"shape": st.lists(WHOLE, max_size=2), "nonfinite": st.integers(0, 9), "out_of_range": st.integers(0, 9)}
QUANTITY = st.builds(Quantity, **NUMBERS, groups=st.lists(GROUP, max_size=1), worst=st.none() | WORST, failures=st.lists(TEXT, max_size=1))
SECONDS = st.floats(0, 1e9)
TENSORS = st.builds(Tensors, block=st.sampled_from(["leaf", "step", "composite", ""]), quantities=st.lists(QUANTITY, max_size=2))
FIGURES = st.dictionaries(TEXT, st.none() | st.booleans() | FINITE | TEXT | st.lists(TEXT, max_size=2), max_size=3).map(figures)
PART = st.builds(Part, number=st.integers(1, 99), of=st.integers(1, 99))
RECORD = st.builds(Record, part=PART, detail=TENSORS | FIGURES | st.builds(Latency), batch=st.none() | st.integers(1, 99), seconds=SECONDS)
PLANNED = st.builds(Planned, batch=st.none() | st.integers(1, 99))
NUMBERS_OF = dict.fromkeys(("atoms", "frames", "edges"), st.none() | WHOLE)
SYSTEM = st.builds(JudgedSystem, reference=st.none() | st.builds(Reference, made_now=WHOLE), **NUMBERS_OF)
FLAGS = st.dictionaries(TEXT, st.booleans() | WHOLE | FINITE | TEXT, max_size=3)
MODEL = st.builds(JudgedModel, parameters=st.none() | WHOLE)
ENVIRONMENT = st.builds(Environment, threads=st.none() | WHOLE, flags=FLAGS)
RUN = st.builds(
    Records, environment=ENVIRONMENT, model=MODEL, systems=st.lists(SYSTEM, max_size=2),
    plan=st.lists(PLANNED, max_size=2), records=st.lists(RECORD, max_size=3), seconds=SECONDS,
    options=st.dictionaries(TEXT, st.none() | st.booleans() | WHOLE | FINITE | TEXT, max_size=3),
)  # fmt: skip
ENTRY = st.lists(FINITE, min_size=4, max_size=4)
BASELINE = st.builds(
    Baseline,
    suite=st.just("precision"),
    seed=WHOLE,
    provenance=PLAIN,
    cells=st.dictionaries(TEXT, st.dictionaries(TEXT, ENTRY, max_size=2), max_size=3),
)
CHEAP = settings(max_examples=60, deadline=None)


@CHEAP
@given(run=RUN, baseline=BASELINE)
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, run: Records, baseline: Baseline) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    write_records(path, run)
    assert read_records(path) == run
    write_baseline(path, baseline)
    assert read_baseline(path) == baseline


def test_records_of_another_schema_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"schema_version": 7}', encoding="utf-8")
    with pytest.raises(InputError, match="schema_version is 7, this mpcheck reads 2 to 3"):
        read_records(tmp_path / "f.json")
