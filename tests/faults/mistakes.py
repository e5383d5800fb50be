"""Ten mistakes, planted one at a time: does the report's first card name the block, and how many cards does one mistake make?

    python -m tests.faults.mistakes                # all ten, minutes: docs/includes/mistakes.md
    python -m tests.faults.mistakes nan scatter    # some; prints their table

References are made before anything is planted, as base's are in a gate.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from mpcheck._text import markdown, markdown_table
from mpcheck.adapters.upstream import mace
from mpcheck.cli.main import main as mpcheck
from mpcheck.records.read import read_results
from mpcheck.report.cards import Card, cards
from mpcheck.report.figure import figure
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import exchanged

TABLE = Path(__file__).parents[2] / "docs" / "includes" / "mistakes.md"
MOST = 3
"""Cards of one mistake."""
SYSTEM = ("--system", "builtin:water")
MADE = ("run", "builtin:hco", *SYSTEM, "--format", "float32", "--backend", "e3nn")
"""Makes the references of all blocks."""


def run(*formats: str, backends: Sequence[str] = ("e3nn",), blocks: Sequence[str] = (), session: str = "run", check: str = "") -> tuple[str, ...]:
    """A command that looks for a mistake where it is, and around it."""
    words = [session, "builtin:hco", *SYSTEM]
    for option, values in (("--check", [check] if check else []), ("--format", formats), ("--backend", backends), ("--block", blocks)):
        words += [word for value in values for word in (option, value)]
    return tuple(words)


BOTH, LAYERS = ("e3nn", "cueq"), ("interactions.*",)


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        name: for people and tests. words: what it is.
        patch: of ``tests.faults.patches``, or ``raising``; arguments: its parameters.
        block: glob pattern of the block, or property, that the first card must name.
        sessions: commands that look for it.
        quick: runs in continuous integration.
    """

    name: str
    words: str
    patch: str
    arguments: dict[str, Any]
    block: str
    sessions: tuple[tuple[str, ...], ...]
    quick: bool = False


MISTAKES = (
    Mistake(
        "scatter", "messages added one after another in bfloat16", "scatter_one_after_another", {"dtype": "bfloat16"}, "interactions.*.scatter",
        (run("float32", "bfloat16", backends=BOTH, blocks=LAYERS), run("bfloat16", blocks=LAYERS, session="audit", check="accumulation")),
    ),
    Mistake(
        "cut", "sums of messages cut off to bfloat16, not rounded", "scatter_truncated", {}, "interactions.*.scatter",
        (run("float32", "bfloat16", blocks=LAYERS),), quick=True,
    ),
    Mistake(
        "gradient", "half the weight gradient of one path of the convolution, in float32", "one_instruction_gradient",
        {"instruction": -1, "factor": 0.5, "dtype": "float32"}, "interactions.*.conv_tp", (run("float64", "float32", "bfloat16", blocks=LAYERS),),
    ),
    Mistake(
        "energies", "energies added over atoms in float32, whatever the model's type", "energies_summed_in", {"dtype": "float32"}, "energy_sum",
        (run("float64", "float32", "bfloat16", blocks=("energy_sum", "atomic_energies_fn", "readouts.*")),), quick=True,
    ),
    Mistake(
        "nan", "every linear layer gives NaN", "not_a_number", {}, "*linear*",
        (run("float32", backends=BOTH), run("float32", session="symmetry", check="equivariance", blocks=("products.*",))),
    ),
    Mistake(
        "normalisation", "cuEquivariance's skip connection without a factor √2, in float64", "lost_path_normalisation",
        {"factor": 2**0.5, "dtype": "float64"}, "interactions.*.skip_tp", (run("float64", "float32", backends=BOTH, blocks=LAYERS),),
    ),
    Mistake(
        "reshape", "channels read in the other layout, on cuEquivariance", "reshaped_as_mul_ir", {}, "interactions.*.reshape",
        (run("float32", "bfloat16", backends=BOTH, blocks=LAYERS),
         run("float32", backends=("cueq",), session="symmetry", check="equivariance", blocks=LAYERS)),
    ),
    Mistake("tf32", "operands of float32 matrix products rounded to 11 bits, everywhere", "operands_rounded", {"bits": 10}, "*linear*",
            (run("float32", "bfloat16"),)),
    Mistake(
        "raises", "the radial basis raises an error in bfloat16", "raising", {"dtype": "bfloat16"}, "radial_embedding.bessel_fn",
        (run("float32", "bfloat16", blocks=("radial_embedding*", "spherical_harmonics", "interactions.0.*")),), quick=True,
    ),
    Mistake("forces", "the model's forces are zero", "forces_of_zero", {}, "finite-difference", (run("float64", session="audit", check="physics"),)),
)  # fmt: skip
"""Of different blocks and kinds: forward and backward, one format and all, one backend and both, one block and many."""


@contextlib.contextmanager
def raising(session: None, dtype: str) -> Iterator[None]:
    """The radial basis has no table for a type."""

    def make(original: Any) -> Any:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = original(self, x)
            return {getattr(torch, one): found for one in ("float64", "float32", "float16", "bfloat16") if one != dtype}[x.dtype]

        return forward

    with exchanged(mace.modules.radial.BesselBasis, "forward", make):
        yield


@dataclass(frozen=True)
class Measured:
    """What the report of one mistake came to: ``red`` conclusions, and its cards."""

    mistake: Mistake
    red: int
    cards: list[Card]

    @property
    def named(self) -> bool:
        """Whether the first card names the block."""
        return bool(self.cards) and fnmatchcase(self.cards[0].subject, self.mistake.block)


def references(cache: Path) -> None:
    """Make what is judged by, while nothing is planted.

    Raises:
        RuntimeError: something is red already.
    """
    os.environ["MPCHECK_CACHE_DIR"] = str(cache)
    if (status := mpcheck([*MADE, "--out", str(cache.parent / "clean")])) != 0:
        raise RuntimeError(f"`mpcheck {' '.join(MADE)}` is not green before anything is planted: status {status}")


def measured(mistake: Mistake, folder: Path) -> Measured:
    """Plant a mistake, run what looks for it, read the records back and group them; its report lies in ``folder``, too."""
    patch = PATCHES.get(mistake.patch, raising)
    with patch(None, **mistake.arguments):
        for session in mistake.sessions:
            mpcheck([*session, "--out", str(folder)])
    results = read_results([folder])
    mpcheck(["report", str(folder), "--html", str(folder / "report.html"), "--markdown", str(folder / "report.md")])
    return Measured(mistake, len(results.failures), cards(results))


def table(rows: Sequence[Measured]) -> str:
    """Markdown: a row a mistake."""
    head = ("mistake", "first card", "error ÷ allowed", "it looks like", "red conclusions", "cards")
    told = [
        (
            markdown(row.mistake.words), f"`{row.cards[0].subject}`" if row.cards else "none", figure(row.cards[0].worst.share) if row.cards else "–",
            markdown(row.cards[0].looks) if row.cards else "–", str(row.red), str(len(row.cards)),
        )
        for row in rows
    ]  # fmt: skip
    return "\n".join(markdown_table(head, told, "llrlrr")) + "\n"


def main(names: Sequence[str]) -> int:
    """Measure.

    Returns:
        0; 1 where a first card names another block, or a mistake makes more than :data:`MOST` cards; 2 for an unknown name.
    """
    if unknown := sorted(set(names) - {one.name for one in MISTAKES}):
        print(f"unknown mistake {unknown[0]!r}; choose from {', '.join(one.name for one in MISTAKES)}", file=sys.stderr)
        return 2
    chosen = [one for one in MISTAKES if not names or one.name in names]
    kept = os.environ.get("MPCHECK_MISTAKES")  # a directory for the reports, for whoever wants to look
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(kept or temporary)
        references(place / "cache")
        rows = [measured(one, place / one.name) for one in chosen]
    text = table(rows)
    print(text)
    if not names:
        TABLE.write_text(text, encoding="utf-8")
    return 0 if all(row.named and len(row.cards) <= MOST for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
