"""Tables of a profile from its records alone."""

from __future__ import annotations

from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.sessions.profile.tables import WIDTH, group_rows, headline, latency_cells, maps, markdown, render, sweep_cells
from tests.unit.accounts import check_record
from tests.unit.record_samples import findings

ABOUT = {"backend": "e3nn", "format": "float32", "variant": "energy", "system": "builtin:water*1", "verdict": "pass"}


def block(subject: str, share: float, **figures: object) -> Record:
    own = {"group": "model", "dtype": "float32", "calls": 1.0, "host_ms": 100 * share, "share": share, "bound": "kernel-bound"}
    rest = dict.fromkeys(("depth", "device_ms", "launches", "backward_host_ms", "backward_device_ms", "backward_launches", "total_host_ms"), 0.0)
    return check_record({**rest, **own, **figures}, check="profile", subject=subject, **ABOUT)


WHOLE = {
    "end_to_end_ms": 100.0, "unprofiled_ms": 50.0, "profiling_factor": 2.0, "kept_calls": 1.0, "made_calls": 4.0, "total_device_ms": 25.0,
    "total_launches": 7.0,
}  # fmt: skip
LARGE, SMALL = block("products.0|x", 0.595, group="products.0", depth=1.0), block("readouts.0", 0.005, group="readouts.0", depth=1.0)
ROWS = [block("model", 0.4, **WHOLE), LARGE, SMALL]
GONE = check_record(check="profile", subject="model", **{**ABOUT, "backend": "cueq", "verdict": "unsupported"}, reason="not installed")
TIMES = check_record(
    {"q05_ms": 1.0, "q25_ms": 2.0, "q50_ms": 3.0, "q75_ms": 4.0, "q95_ms": 5.0, "rounds": 9}, check="latency", subject="model", **ABOUT
)  # fmt: skip
POINT = check_record(
    {
        "l_max": 2, "batch": 4, "atoms": 8, "edges": 64, "rounds": 5, "median_ms": 10.0, "q25_ms": 9.0, "q75_ms": 11.0, "speedup": 2.0,
        "speedup_low": 1.5, "speedup_high": 2.5,
    },
    check="sweep", subject="l_max=2 batch=4", **{**ABOUT, "backend": "cueq"},
)  # fmt: skip


def run() -> Records:
    return findings("profile", *ROWS, GONE, TIMES, POINT)


def test_a_map_is_of_one_system_format_work_and_backend() -> None:
    ((key, rows),) = maps(run()).items()
    assert key == ("builtin:water*1", "float32", "energy", "e3nn") and [r.subject for r in rows] == ["model", "products.0|x", "readouts.0"]
    assert "25 % of it in 7 kernels: kernel-bound" in headline(rows) and "factor 2.00; 1 of 4 calls kept" in headline(rows)


def test_parts_of_the_model_add_up_their_blocks() -> None:
    second = block("products.0.linear", 0.1, group="products.0", backward_host_ms=5.0)
    assert group_rows([LARGE, second])[0] == ("products.0", 59.5 + 10.0 + 5.0, 0.0, 0.595 + 0.1)


def test_a_terminal_shows_large_blocks_and_counts_the_others() -> None:
    text = render(run())
    assert max(map(len, text.splitlines()[:-2])) <= WIDTH
    assert "products.0|x" in text and "readouts.0" not in text and "(1 smaller)" in text
    assert "unsupported(not installed): " in text


def test_markdown_shows_every_block_and_escapes_names() -> None:
    text = markdown(run())
    assert r"· products.0\|x" in text and "· readouts.0" in text
    assert "## Call times" in text and "## Not measured" in text and "## Model of costs" not in text


def test_call_times_and_the_sweep() -> None:
    assert latency_cells(run()) == [["energy float32", "e3nn", "3.00", "2.00 – 4.00", "1.00 – 5.00", "9"]]
    assert sweep_cells(run()) == [["2", "4", "8", "64", "cueq", "10.00", "9.0 – 11.0", "5", "2.00", "1.50 – 2.50"]]
