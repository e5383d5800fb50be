"""Benchmarks divided over several machines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.launch.measurement import request
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun


def test_benchmarks_are_divided_and_the_others_left_out() -> None:
    options = BenchOptions(systems=("builtin:isolated",), backends=("e3nn",), blocks=("readouts.*", "model"))
    made = [BenchRun(replace(options, shard=shard)) for shard in ("", "1/3", "2/3", "3/3")]
    whole, *shards = made
    assert sorted(key.id for part in shards for key in part.keys) == sorted(key.id for key in whole.keys)
    assert max(len(part.keys) for part in shards) - min(len(part.keys) for part in shards) <= 1
    assert all(part.every == whole.every for part in shards)
    for part in made:
        assert {key.id for key in part.keys} | set(part._load()["skip"]) == {key.id for key in part.every}
        json.dumps(part._load())
    assert request(options, (1,), ("forward",))["skip"] == []
    with pytest.raises(InputError, match="parts are too many"):
        BenchRun(replace(options, shard="1/99"))
