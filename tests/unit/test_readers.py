"""Every reader reads, or refuses with one line that names the file; nothing else ever comes out of it."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import mpcheck.adapters.load as loading
from mpcheck._errors import InputError
from mpcheck._files.yaml import parse_yaml
from mpcheck.adapters.architecture import build_model
from mpcheck.checks.golden import load_golden, save_golden
from mpcheck.history.ratios import Baseline, read_baseline, write_baseline
from mpcheck.judge.tolerances import load_tolerances, packaged
from mpcheck.records.document import Records, read_records, write_records
from mpcheck.records.limits import UNTRUSTED
from mpcheck.records.read import read_results
from mpcheck.records.tensors import Group, Number, Quantity, Worst
from mpcheck.reference.store import Damaged, Store
from tests.unit.accounts import fields, precision_record

TINY = """\
schema_version: 1
name: tiny
elements: [H]
atomic_energies: {H: -13.6}
r_max: 3.0
num_bessel: 2
max_ell: 1
hidden_irreps: 2x0e
MLP_irreps: 2x0e
correlation: 1
num_interactions: 1
radial_MLP: [4]
avg_num_neighbors: 2.0
"""
TEXT = st.text(max_size=8)
LEAF = st.none() | st.booleans() | st.integers(-(10**310), 10**310) | st.integers(-3, 3) | st.floats() | TEXT
JSON = st.recursive(LEAF, lambda c: st.lists(c, max_size=4) | st.dictionaries(TEXT, c, max_size=4), max_leaves=10)
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
CHEAP, DEAR = settings(max_examples=60, deadline=None), settings(max_examples=20, deadline=None)


@dataclass(frozen=True)
class Sample:
    path: Path
    content: bytes
    read: Callable[[Path], object]


def a_run() -> Records:
    numbers = {name: 0.7 for name, field in Quantity.model_fields.items() if field.annotation == Number}
    group, worst = Group(name="0e", rms=0.5, limit=1.0), Worst(place="[0]", value=1.0, expected=1.0, allowed=0.1)
    quantity = Quantity(name="out", shape=[3], nonfinite=0, out_of_range=0, groups=[group], worst=worst, **numbers)
    words = dict.fromkeys(("subject", "role", "backend", "format", "accumulation", "variant", "system"), "word")
    cell = precision_record([quantity], **words, verdict="pass")
    environment = {"device_slug": "cpu", "device_name": "a CPU", "platform": "Linux", "packages": {}}
    head = {"suite": "precision", "mpcheck": "0", "environment": environment, "systems": [{"name": "s"}], "options": {}}
    return Records(model={"name": "m", "digest": "d"}, **fields([cell]), **head)


def a_baseline() -> Baseline:
    head = {"suite": "precision", "device": "cpu", "provenance": {}, "model": {"digest": "d"}, "systems": {}, "seed": 0}
    return Baseline(schema_version=1, cells={"c": {"out": [0.7, 0.0, 0.01, 0.01]}}, **head)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sample]]:
    root = tmp_path_factory.mktemp("readers")
    write_records(root / "precision.json", a_run())
    write_baseline(root / "baseline.json", a_baseline())
    frame = Atoms("H2", [[0, 0, 0], [0, 0, 0.8]])
    tensors = {"energy": torch.ones(1, dtype=torch.float64)}
    golden = (root / "golden.safetensors", root / "golden.json")
    save_golden(golden, (frame,), tensors, tensors, {"model": "m"})
    (root / "arch.yaml").write_text(TINY, encoding="utf-8")
    (root / "plain.yaml").write_text(TINY, encoding="utf-8")
    model = loading.load_model(str(root / "arch.yaml")).module
    save_file(model.state_dict(), root / "weights.safetensors")
    torch.save(model.state_dict(), root / "weights.pt")
    torch.save(model, root / "tiny.model")

    def with_weights(path: Path) -> object:
        return loading.load_model(f"{root / 'plain.yaml'}+{path}")

    readers: dict[str, tuple[str | Path, Callable[[Path], object]]] = {
        "records": ("precision.json", read_records),
        "results": ("precision.json", lambda p: read_results([p], UNTRUSTED)),
        "baseline": ("baseline.json", read_baseline),
        "tolerances": (packaged("limits.yaml"), load_tolerances),
        "golden": ("golden.safetensors", lambda p: load_golden((p, golden[1]))),
        "manifest": ("golden.json", lambda p: load_golden((golden[0], p))),
        "architecture": ("arch.yaml", lambda p: loading.load_model(str(p))),
        "safetensors": ("weights.safetensors", with_weights),
        "state": ("weights.pt", with_weights),
        "model": ("tiny.model", lambda p: loading.load_model(str(p))),
    }
    with pytest.MonkeyPatch.context() as patch:  # reading is what is tested here, and building takes longest
        built = cache(build_model_of)
        patch.setattr(loading, "build_model", lambda arch: copy.deepcopy(built(arch.canonical())))
        yield {k: Sample(root / "copy" / Path(n).name, (root / n).read_bytes(), r) for k, (n, r) in readers.items()}


def build_model_of(canonical: str) -> torch.nn.Module:
    return build_model(loading.Architecture.model_validate_json(canonical))


def outcome(sample: Sample, content: bytes) -> object:
    """What the reader made of it; None where it refused as it should."""
    sample.path.parent.mkdir(exist_ok=True)
    sample.path.write_bytes(content)
    try:
        return sample.read(sample.path)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert str(sample.path) in message
    return None


DOCUMENTS = ["records", "baseline", "tolerances", "manifest", "architecture"]
BINARY = ["golden", "safetensors", "state", "model"]


@pytest.mark.parametrize("kind", DOCUMENTS + BINARY)
def test_whole_files_are_read(samples: dict[str, Sample], kind: str) -> None:
    assert outcome(samples[kind], samples[kind].content) is not None


@pytest.mark.parametrize("kind", DOCUMENTS + BINARY)
@DEAR
@given(data=st.data())
def test_truncated(samples: dict[str, Sample], kind: str, data: st.DataObject) -> None:
    whole = samples[kind].content
    short = whole[: data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 3) | st.integers(len(whole) - 3, len(whole) - 1))]
    found = outcome(samples[kind], short)
    if kind in ("golden", "safetensors", "state", "model") or (kind in ("records", "baseline", "manifest") and short.strip() != whole.strip()):
        assert found is None


@pytest.mark.parametrize("kind", DOCUMENTS + BINARY)
@DEAR
@given(content=st.binary(max_size=64), prefix=st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", b"\xff\xfe", b"{", b"\x08" + bytes(7)]))
def test_random_bytes(samples: dict[str, Sample], kind: str, content: bytes, prefix: bytes) -> None:
    assert outcome(samples[kind], prefix + content) is None


@pytest.mark.parametrize("kind", [k for k in DOCUMENTS + BINARY if k != "model"])
@DEAR
@given(data=st.data())
def test_one_altered_byte(samples: dict[str, Sample], kind: str, data: st.DataObject) -> None:
    content = bytearray(samples[kind].content)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda b: b != content[at]))
    found = outcome(samples[kind], bytes(content))
    assert kind != "golden" or found is None


@pytest.mark.parametrize("kind", DOCUMENTS)
@CHEAP
@given(value=JSON)
def test_random_json(samples: dict[str, Sample], kind: str, value: Any) -> None:
    assert outcome(samples[kind], json.dumps(value).encode()) is None


@pytest.mark.parametrize("kind", DOCUMENTS)
@CHEAP
@given(data=st.data())
def test_wrong_type_somewhere(samples: dict[str, Sample], kind: str, data: st.DataObject) -> None:
    document = node = parse_yaml(samples[kind].content.decode(), kind)
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans())):
            break
        node = node[key]
    remove = data.draw(st.booleans())
    if remove:
        del node[key]
    elif kind != "architecture":
        node[key] = data.draw(JSON)
    else:  # no large numbers: they are sizes
        node[key] = data.draw(st.none() | TEXT | st.booleans() | st.lists(TEXT, max_size=2))
    outcome(samples[kind], json.dumps(document).encode())


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("version", [0, 4, -1, "1", None, 1.5, [1]])
def test_another_schema_version(samples: dict[str, Sample], kind: str, version: object) -> None:
    document = parse_yaml(samples[kind].content.decode(), kind)
    document["schema" if kind == "manifest" else "schema_version"] = version
    assert outcome(samples[kind], json.dumps(document).encode()) is None


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("content", [b"", b"[" * 1500, b'{"a":' * 1500, b"\x00", b"NaN", "é".encode("latin-1")])
def test_odd_documents(samples: dict[str, Sample], kind: str, content: bytes) -> None:
    assert outcome(samples[kind], content) is None


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_records_and_baselines_hold_finite_numbers(samples: dict[str, Sample], constant: str) -> None:
    for kind in ("records", "baseline"):
        content = samples[kind].content.replace(b"0.7", constant.encode())
        assert content != samples[kind].content
        assert outcome(samples[kind], content) is None


@pytest.mark.parametrize("kind", ["records", "tolerances", "architecture", "state", "model"])
def test_missing_or_impossible_names(samples: dict[str, Sample], kind: str) -> None:
    suffix = samples[kind].path.suffix
    for name in (f"missing{suffix}", "n" * 300 + suffix):
        with pytest.raises(InputError, match=name):
            samples[kind].read(samples[kind].path.parent / name)
    assert read_baseline(Path("n" * 300)) is None


@CHEAP
@given(data=st.data())
def test_store_finds_every_damage_and_mends_it(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    store = Store(tmp_path_factory.getbasetemp() / "store", "key")
    kept = {"a": torch.arange(5.0)}
    store.save("entry", kept, {"order": ["x"], "number": 0.1})
    path = store.path / ("entry" + data.draw(st.sampled_from([".json", ".safetensors"])))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = data.draw(st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], b"{" * at, json.dumps([at]).encode()]))
    path.write_bytes(damaged)
    with pytest.raises(Damaged, match="entry"):
        store.load("entry")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tensors, manifest = store.fetch("entry", lambda: store.save("entry", kept, {"order": ["x"], "number": 0.1}))
    assert "entry" in str(caught[0].message)
    assert torch.equal(tensors["a"], kept["a"])
    assert manifest["number"] == 0.1
