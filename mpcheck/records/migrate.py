"""Records of earlier schema versions, brought to the next one: data in, data out, every id as it was.

What is missing or of another type stays as it is, for the schema to name: the data may come from anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from mpcheck._names import COST, COST_MODEL, FIRST_CALL, GOLDEN, LATENCY, NEW_SHAPE, PRECISION, PROFILE, REFERENCE_BACKEND, SWEEP
from mpcheck.formats import FLOAT64
from mpcheck.records.detail import Cost, CostModel, Latency, Profile, Sweep
from mpcheck.records.tensors import Quantity, summary

Data = dict[str, Any]
TYPED: dict[str, type[Latency | Cost | CostModel | Profile | Sweep]] = {
    LATENCY: Latency, FIRST_CALL: Latency, NEW_SHAPE: Latency, COST: Cost, COST_MODEL: CostModel, PROFILE: Profile, SWEEP: Sweep,
}  # fmt: skip
ENVIRONMENT = (
    "gate", "python", "platform", "device", "device_name", "device_slug", "threads", "packages", "mpcheck_digest", "flags", "commit", "date",
)  # fmt: skip


def batched(system: str) -> Data:
    """``NAME*BATCH``, as earlier versions wrote what was timed, as fields."""
    name, star, batch = system.rpartition("*")
    return {"system": name, "batch": int(batch)} if star and name and batch.isdecimal() and int(batch[:9]) > 0 else {"system": system}


def detail_of(check: str, metrics: Data) -> Data | None:
    """The bag of figures of version 2 as a typed detail; as plain figures where it has any that the type does not know."""
    if not metrics:
        return None
    if check in TYPED:
        try:
            return TYPED[check].model_validate({name: value for name, value in metrics.items() if name != "kind"}).model_dump()
        except ValidationError:
            pass
    if check == "dtypes" and {"ops", "multiply-adds", "casts", "promotions"} <= metrics.keys():
        return _types(metrics)
    return {"kind": "figures", "listed": [{"name": name, "value": value} for name, value in metrics.items()]}


def _types(metrics: Data) -> Data:
    shares: dict[str, Data] = {}
    for what, field in (("ops ", "operations"), ("multiply-adds ", "multiply_adds")):
        for name in metrics:
            if name.startswith(what) and name.endswith(" %"):
                dtype = name.removeprefix(what).removesuffix(" %")
                shares.setdefault(dtype, {"dtype": dtype})[field] = metrics[name]
    cast = {name.removeprefix("casts "): value for name, value in metrics.items() if name.startswith("casts ")}
    whole = {"operations": metrics["ops"], "multiply_adds": metrics["multiply-adds"], "casts": metrics["casts"], "promotions": metrics["promotions"]}
    return {"kind": "types", **whole, "shares": list(shares.values()), "cast": cast}


def _finding(row: Data) -> Data:
    """A record of the symmetry, audit, bench or profile session."""
    fields = {name: value for name, value in row.items() if name != "metrics"}
    check, system, metrics = row.get("check"), row.get("system"), row.get("metrics", {})
    if check in TYPED and isinstance(system, str):
        fields |= batched(system)
    return fields | {"detail": detail_of(str(check), metrics) if isinstance(metrics, dict) else metrics}


def _cell(row: Data) -> Data:
    """A record of the precision session: one block, format, backend and direction."""
    names = {"block": "subject", "direction": "variant"}
    own = ("role", "kind", "accumulation", "drift", "quantities")
    fields = {names.get(name, name): value for name, value in row.items() if name not in own}
    detail = {"block" if name == "kind" else name: row[name] for name in own if name in row}
    told = summary([Quantity.model_validate(q) for q in row.get("quantities", ())])
    return {"check": PRECISION, **fields, **told, "detail": {"kind": "tensors", **detail}}


def _golden(row: Data) -> Data:
    """A golden value: the name of a tensor is ``BLOCK:TENSOR``."""
    block, _, tensor = str(row.get("name")).partition(":")
    failure, ratio, limit = row.get("failure"), row.get("rms"), row.get("limit")
    quantity = {"name": row.get("name"), "rms": ratio, "rms_limit": limit, "max": row.get("max"), "failures": [failure] if failure else []}
    kept: Data = {name: row[name] for name in ("system", "key", "part") if name in row}
    return {
        "check": GOLDEN, "subject": block, "backend": REFERENCE_BACKEND, "format": FLOAT64.name, "variant": tensor,
        "verdict": "fail" if failure else "pass", "reason": failure, "ratio": ratio, "limit": limit, **kept,
        "detail": {"kind": "tensors", "quantities": [quantity]},
    }  # fmt: skip


def from_2(data: Data) -> Data:
    """Version 2 had two kinds of document: ``cells`` and ``golden`` of precision, ``findings`` of every other session, whose figures had no type.

    Raises:
        ValidationError: a tensor that is none.
    """
    document = {name: value for name, value in data.items() if name not in ("cells", "golden", "findings")}
    rows: list[Any] = []
    for name, bring in (("cells", _cell), ("golden", _golden), ("findings", _finding)):
        some = data.get(name, [])
        rows += [bring(row) if isinstance(row, dict) else row for row in some] if isinstance(some, list) else [some]
    if not {"cells", "findings"} & data.keys():
        document["cells"] = None  # named as what is wrong
    return document | {"schema_version": 3, "records": rows} | _head(data)


def _head(data: Data) -> Data:
    """Environment, model, systems and options with fields of their own."""
    head: Data = {}
    environment, model, systems, options = (data.get(name) for name in ("environment", "model", "systems", "options"))
    if isinstance(environment, dict):
        head["environment"] = {name: environment[name] for name in ENVIRONMENT if name in environment}
    if isinstance(model, dict):
        own = {name: model[name] for name in ("name", "digest", "stored_dtype") if name in model}
        head["model"] = {**own, "source": {name: value for name, value in model.items() if name not in own}}
    if isinstance(systems, list):
        head["systems"] = [_system(system) if isinstance(system, dict) else system for system in systems]
    if isinstance(options, dict) and isinstance(places := options.get("shard_rows"), dict):
        told = [places.get(name, []) for name in ("cells", "golden", "findings")]
        head["options"] = {**options, "shard_rows": {"records": [text for some in told if isinstance(some, list) for text in some]}}
    return head


def _system(system: Data) -> Data:
    reference = system.get("reference")
    if not isinstance(reference, dict):
        return system
    return {**system, "reference": {"origin" if name == "from" else name: value for name, value in reference.items()}}


OLDER: dict[int, Callable[[Data], Data]] = {2: from_2}
"""By version, what brings it to the next."""
