"""Records of ranges as a run writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpcheck._names import RANGES
from mpcheck.formats import FLOAT16, FLOAT32, Format
from mpcheck.records.document import Environment, JudgedModel, Records
from mpcheck.records.range_figures import Layout, Ranges, TensorRange
from mpcheck.records.record import Part, Planned, Record

LAYOUT = {"shape": [4, 2], "strides": [2, 1], "dtype": "float64", "device": "cpu", "contiguous": True, "expanded": False, "part": False}


def tensor(name: str, largest: float, smallest: float, fmt: Format, **more: Any) -> TensorRange:
    kind = "gradient" if name.startswith("grad") else "weight" if name.startswith("weight") else "output"
    laid = Layout.model_validate({**LAYOUT, "alignment": 64, **more.pop("layout", {})})
    beyond = largest / fmt.largest
    return TensorRange.model_validate({
        "name": name, "kind": kind, "layout": laid, "largest": largest, "smallest": smallest, "binades": 12.0, "low": -4, "middle": -1, "high": 2,
        "zeros": 0.0, "headroom": -4.0 if beyond > 1 else 4.0, **more,
    })  # fmt: skip


def record(subject: str, fmt: Format, *tensors: TensorRange, variant: str = "forward", block: str = "leaf", **more: Any) -> Record:
    detail = Ranges.model_validate({
        "role": "linear", "block": block, "smallest": fmt.smallest, "normal": fmt.smallest_normal, "end": fmt.largest, "ranges": list(tensors),
    })  # fmt: skip
    about = {"check": RANGES, "subject": subject, "system": "builtin:water", "format": fmt.name, "variant": variant}
    return Record.model_validate({**about, "verdict": "pass", "detail": detail, "key": f"{RANGES}-builtin:water-{subject}", **more})


def document(*records: Record) -> Records:
    keys = dict.fromkeys(r.key for r in records)
    return Records(
        mpcheck="0",
        environment=Environment(device="cpu", device_slug="cpu", device_name="a processor", python="3", platform="p", packages={"torch": "2"}),
        model=JudgedModel(name="my.model", digest="0"), systems=[], options={}, seconds=1.0, suite="ranges",
        plan=[Planned(key=key, check=RANGES, subject=key.rpartition("-")[2], system="builtin:water") for key in keys],
        state="complete", records=numbered(records),
    )  # fmt: skip


def numbered(records: Sequence[Record]) -> list[Record]:
    """With which record of its work each is."""
    made = []
    for one in records:
        own = [r for r in records if r.key == one.key]
        made.append(one.model_copy(update={"part": Part(number=1 + next(i for i, r in enumerate(own) if r is one), of=len(own))}))
    return made


FORMATS = (FLOAT32, FLOAT16)
EXAMPLE = document(
    *(
        record("readouts.0.linear", f, tensor("out", 3e4, 1e-3, f), tensor("weight.weight", 2.0, 1e-2, f, layout={"contiguous": False}))
        for f in FORMATS
    ),
    *(
        record(
            "readouts.0.linear", f, tensor("grad.out", 1e-6, 1e-12, f, subnormal=0.6, flushed=0.2 if f is FLOAT16 else 0.0), variant="backward",
            note="80% of the numbers of grad.out that are not zero are below float16's normal range" if f is FLOAT16 else "",
        )
        for f in FORMATS
    ),
    *(record("readouts.0", f, tensor("out", 3e4, 1e-3, f), block="composite") for f in FORMATS),
    record("energy_sum", FLOAT32, tensor("out", 1e5, 1e5, FLOAT32), block="step"),
    record(
        "energy_sum", FLOAT16, tensor("out", 1e5, 1e5, FLOAT16, beyond=1.0), block="step", verdict="unsupported",
        reason="range: out reaches 1e+05, float16 holds 65504",
    ),
    *(
        record(
            "model", f, tensor("out.energy", 3e4, 3e4, f, layout={"expanded": True}), block="composite",
            note="out.energy would overflow in float16 from 70 atoms on: it grows in proportion to atoms (here 33 atoms)" if f is FLOAT16 else "",
        )
        for f in FORMATS
    ),
)  # fmt: skip
