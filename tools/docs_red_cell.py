"""Make the worked example of docs/red-cell.md: a real fault planted, the real command run, what it prints written down.

    python tools/docs_red_cell.py            # writes docs/includes/red-cell-*

The fault is one that kernels of this field had: messages are added one neighbour after another in bfloat16, instead of in float32
with one rounding at the end. The same command runs before it is planted, so that what the page says of green is measured too.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from mpcheck.cli.main import main as mpcheck  # noqa: E402
from mpcheck.records.document import read_records  # noqa: E402
from mpcheck.records.tensors import decisive  # noqa: E402
from tests.faults.planted import sequential_scatter  # noqa: E402

COMMAND = "mpcheck run builtin:hco --system builtin:dense --backend e3nn --block interactions.1.scatter --block interactions.1.linear "
COMMAND += "--block interactions.1 --format float32 --format bfloat16"
EXPLAIN = "mpcheck tolerances explain interactions.1.scatter bfloat16 --system builtin:dense"
OPS = "mpcheck explain builtin:dense/interactions.1.scatter-e3nn-bfloat16-forward --ops"
FOLDER = ROOT / "docs" / "includes"


def printed(out: Path) -> tuple[int, str]:
    """Exit status and output of the command, without what differs from run to run: progress, durations, directories."""
    stream = io.StringIO()
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(stream):
        status = mpcheck([*COMMAND.split()[1:], "--out", str(out), "--baselines", str(out)])
    kept = [line.rstrip() for line in stream.getvalue().replace(str(out), "reports").splitlines()]
    start = next(i for i, line in enumerate(kept) if line.startswith(("PASS:", "FAIL:")))
    text = "\n".join(line for line in kept[start:] if not re.match(r"wrote |as one page|took ", line))
    typed = COMMAND.replace(" --block", " \\\n    --block", 1).replace(" --format", " \\\n    --format", 1)
    return status, f"$ {typed}\n{text.rstrip()}\n$ echo $?\n{status}\n"


def record(out: Path) -> str:
    """The tensor that turned the innermost red cell red, as the records hold it, without its groups and digest."""
    run = read_records(out / "precision.json")
    cell = next(c for c in run.records if c.subject == "interactions.1.scatter" and c.verdict == "fail")
    told = decisive(cell.quantities)
    assert told is not None
    return told.model_dump_json(indent=1, exclude={"groups", "digest"}, exclude_none=True) + "\n"


def explained(command: str) -> str:
    """What a command says of the red cell, in its own words."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        mpcheck(command.split()[1:])
    return f"$ {command}\n{stream.getvalue().strip()}\n"


def main() -> int:
    """Write all outputs.

    Returns:
        0; 1 where the planted fault was not seen or the clean run was not green, and then nothing is written.
    """
    with tempfile.TemporaryDirectory() as folder:
        # of its own: a reference that is built while a fault is planted must reach nobody else
        os.environ["MPCHECK_CACHE_DIR"] = str(Path(folder) / "cache")
        clean, green = printed(Path(folder) / "clean")
        with sequential_scatter(torch.bfloat16):
            planted, red = printed(Path(folder) / "planted")
            operations = explained(OPS)
        told = {"record.json": record(Path(folder) / "planted"), "explain.txt": explained(EXPLAIN), "ops.txt": operations}
        texts = {"green.txt": green, "red.txt": red, **told}
    if (clean, planted) != (0, 1):
        print(f"expected statuses 0 and 1, found {clean} and {planted}\n{green}\n{red}", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts.items():
        (FOLDER / f"red-cell-{name}").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
