"""Which commands and readers a kind of file is given to, and how."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from mpcheck._files.yaml import load_yaml
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import load_model
from mpcheck.checks.golden import load_golden
from mpcheck.cli import main as cli
from mpcheck.gate.settings import read_settings
from mpcheck.history.comparison_file import read_comparison
from mpcheck.history.latency.aa_rate import read_aa
from mpcheck.history.ratios import read_baseline
from mpcheck.judge.known_faults import load_faults
from mpcheck.reference.store import Damaged, Store, place_of
from mpcheck.sessions.derive import Derived
from mpcheck.systems import resolve_system
from tests.fuzz.inputs.seeds import KEY
from tests.unit.bench_samples import SLUG as BENCH
from tests.unit.record_samples import SLUG

Attempt = Callable[[Path, Path], int | None]
"""Given the mutated file and the directory of the case: a command's exit status, or None where a function was called."""
ENTRY = (place_of(Path(), KEY) / "entry").as_posix()
"""Of the cache, without the ends of its files' names."""
MOST_EDGES = 20_000  # of structures that a graph is made of here


@dataclass(frozen=True)
class Target:
    """One kind of file.

    Attributes:
        seed: a valid one, below the seeds' root. place: its name in the directory of a case.
        attempts: what reads it. beside: further files, by place.
        every: so many cases of other targets come to one of this.
    """

    seed: str
    place: str
    attempts: tuple[Attempt, ...]
    beside: dict[str, str] = field(default_factory=dict)
    every: int = 1

    def laid(self, root: Path, directory: Path, content: bytes) -> Path:
        """The directory of a case, made; the mutated file's path."""
        for place, seed in {**self.beside, self.place: self.seed}.items():
            (directory / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / seed, directory / place)
        path = directory / self.place
        path.write_bytes(content)
        return path


def command(*words: str) -> Attempt:
    """A command line; ``{f}`` is the file and ``{d}`` the directory of the case."""

    def attempt(file: Path, directory: Path) -> int:
        return cli.main([word.format(f=file, d=directory) for word in words])

    return attempt


def call(reader: Callable[[Path], object]) -> Attempt:
    """A function that reads a file, for what only whole sessions read."""

    def attempt(file: Path, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader(file)

    return attempt


@cache
def _molecule_limits() -> tuple[list[str], float]:
    return ["H", "O"], 3.0


def structure(choice: str, file: Path) -> None:
    """Frames, and the graph of those that are small."""
    elements, r_max = _molecule_limits()
    system = resolve_system(f"{file}{choice}", elements, r_max)
    if system.atoms < 100:
        make_graph(system.frames, elements, r_max)


def weights(file: Path) -> None:
    """A state dict of the tiny model."""
    load_model(f"{file.with_name('tiny.yaml')}+{file}")


def entry(file: Path) -> None:
    """An entry of the cache; a damaged one is rebuilt, and is no error."""
    try:
        Store(file.parents[2], KEY).load("entry")
    except Damaged:
        return


def golden(file: Path) -> None:
    """Golden values, of which either file may be the mutated one."""
    load_golden((file.with_name("golden.safetensors"), file.with_name("golden.json")))


def limits(file: Path, directory: Path) -> int | None:
    """A tolerance file. A derived table would begin a session, which takes its time."""
    return None if b"generated" in file.read_bytes() else command("tolerances", "check", "{f}")(file, directory)


READ = (
    command("report", "{f}", "--markdown", "{d}/r.md"), command("report", "{d}/others", "--base", "{f}", "--markdown", "{d}/r.md", "--check"),
    command("compare", "{f}", "{d}/others", "--json", "{d}/c.json"), command("compare", "{d}/others", "{f}", "--markdown", "{d}/c.md"),
    command("merge", "{f}", "--out", "{d}/merged"), command("history", "record", "{f}", "--dir", "{d}/h"),
    command("history", "record", "{f}", "--dir", "{d}/h", "--untrusted"), command("comment", "{d}", "--out", "{d}/comment.md"),
)  # fmt: skip
DRAWN = command("report", "{f}", "--html", "{d}/r.html", "--pictures", "{d}/p")
STORED = (command("baseline", "show", "--dir", "{d}/b"), command("baseline", "prune", "--dir", "{d}/b", "--older-than", "1", "--yes"))
LATER = (
    command("history", "show", "--dir", "{d}/b"), command("history", "changes", "--dir", "{d}/b"),
    command("history", "changes", "--dir", "{d}/b", "--what", "ratio"), command("report", "{d}/head", "--history", "{d}/b", "--markdown", "{d}/r.md"),
)  # fmt: skip
PLOT = command("history", "plot", "*", "--dir", "{d}/b", "--out", "{d}/h.svg")
OTHERS = {f"others/{session}.json": f"others/{session}.json" for session in ("precision", "bench")}
HEAD = {"head/precision.json": "records/precision.json"}


def _records(session: str) -> list[Target]:
    seed, place = f"records/{session}.json", f"head/{session}.json"
    return [Target(seed, place, READ, OTHERS), Target(seed, place, (DRAWN,), OTHERS, every=40)]


TARGETS: dict[str, Target] = {
    **{f"{session}-{i}": t for session in ("precision", "symmetry", "audit", "bench") for i, t in enumerate(_records(session))},
    "shard": Target("shard.json", "head/precision.json", READ, {**OTHERS, "other.json": "shard.json"}),
    "comparison": Target("comparison.json", "comparison.json", (call(read_comparison),)),
    "update": Target("bench.json", "bench.json", (command("baseline", "update", "{f}", "--dir", "{d}/b"),), {"bench-figures.json": "figures.json"}),
    "figures": Target("figures.json", "bench-figures.json", (command("baseline", "update", "{f}", "--dir", "{d}/b", "--reason", "x"),)),
    "latencies": Target("figures.json", f"b/{BENCH}/bench.json", STORED),
    "false alarms": Target(f"{BENCH}/aa.json", f"b/{BENCH}/aa.json", (*STORED, call(read_aa)), {f"b/{BENCH}/bench.json": "figures.json"}),
    "ratios": Target("baseline.json", "precision.json", (call(read_baseline),)),
    "latency history": Target("bench-history.jsonl", f"b/{BENCH}/bench-history.jsonl", LATER, HEAD),
    "latency plot": Target("bench-history.jsonl", f"b/{BENCH}/bench-history.jsonl", (PLOT,), HEAD, every=60),
    "gate history": Target("gate-history.jsonl", f"b/{SLUG}/gate-history.jsonl", LATER, HEAD),
    "limits": Target("limits.yaml", "limits.yaml", (limits,)),
    "derived": Target("derived.yaml", "derived.yaml", (call(lambda file: load_yaml(Derived, file, "derived tolerances")),)),
    "faults": Target("faults.yaml", "faults.yaml", (call(load_faults.__wrapped__),)),
    "architecture": Target("tiny.yaml", "tiny.yaml", (call(lambda file: load_model(str(file))),), every=10),
    "settings": Target("mpcheck.toml", "mpcheck.toml", (call(lambda file: read_settings(file.parent, file, {}, {})),)),
    "extended xyz": Target("frames.extxyz", "frames.extxyz", tuple(call(partial(structure, choice)) for choice in ("", "@:", "@-1"))),
    "cif": Target("crystal.cif", "crystal.cif", (call(partial(structure, "")), call(partial(structure, "@:"))), every=2),
    "safetensors": Target("weights.safetensors", "w.safetensors", (call(weights),), {"tiny.yaml": "tiny.yaml"}, every=6),
    "state": Target("weights.pt", "w.pt", (call(weights),), {"tiny.yaml": "tiny.yaml"}, every=6),
    "golden values": Target("golden.safetensors", "golden.safetensors", (call(golden),), {"golden.json": "golden.json"}),
    "golden manifest": Target("golden.json", "golden.json", (call(golden),), {"golden.safetensors": "golden.safetensors"}),
    "cache": Target(
        f"cache/{ENTRY}.json", f"{ENTRY}.json",
        (call(entry), command("cache", "show", "--cache", "{d}"), command("cache", "prune", "--all", "--cache", "{d}")),
        {f"{ENTRY}.safetensors": f"cache/{ENTRY}.safetensors"},
    ),
}  # fmt: skip
