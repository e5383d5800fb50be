"""Rewrite what is stored: golden float64 values, ratio baselines of this device, derived tolerance tables.

``python -m mpcheck.sessions.regenerate [--reason TEXT] [--only golden|baseline|prints|tolerances]``. It prints what changes and refuses to
loosen a gate without a reason; the reason goes into the provenance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from ase import Atoms

from mpcheck._errors import PREFIX, InputError
from mpcheck._names import DEFAULT_BACKENDS, REFERENCE_BACKEND, REGENERATE
from mpcheck._progress import PROGRESS, Counted
from mpcheck._text import say, say_lines
from mpcheck.checks.golden import compare_golden, golden_paths, load_golden, measure, measure_noise, save_golden
from mpcheck.formats import FLOAT64
from mpcheck.history.ratios import Baseline, baseline_path, changes, collect, provenance, read_baseline, write_baseline
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.environment import describe, device_slug
from mpcheck.records.record import Record
from mpcheck.reference.prints import Print, prints_of
from mpcheck.sessions.derive import derive
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.orders import orders_of
from mpcheck.sessions.run import Options, Session

MODEL = "builtin:hco"


def golden(session: Session, directory: Path, reason: str) -> list[str]:
    """Golden values of the built-in model on its default systems; unchanged ones are left as they are."""
    lines = []
    limits = limits_for(session.tolerances, "golden", REFERENCE_BACKEND, FLOAT64.name, "forward")
    for system in session.systems:
        graph = session.graph(system)
        model = session.reference_backend.model
        values = measure(model, graph)
        paths = golden_paths(directory, MODEL, system)
        if paths[1].is_file():
            old = load_golden(paths)
            frames = session.systems[system].frames
            same = len(old.frames) == len(frames) and all(map(_same, old.frames, frames))
            failed = [row for row in compare_golden(old, values, limits) if row.red]
            if same and not failed:
                lines.append(f"golden {system}: unchanged")
                continue
            lines += [f"golden {system} {row.tensor}: {row.reason}" for row in failed[:10]] or [f"golden {system}: its structure has changed"]
            if not reason:
                raise InputError(f"golden values of {system} change in {len(failed)} tensors: {lines[-1]}; say why with --reason")
        noise = measure_noise(model, graph, values, session.options.seed)
        manifest = {
            "model": MODEL, "digest": session.model.digest, "system": system, "reason": reason, "packages": describe("cpu")["packages"],
        }  # fmt: skip
        save_golden(paths, session.systems[system].frames, values, noise, manifest)
        lines.append(f"golden {system}: wrote {len(values)} tensors, {paths[0].stat().st_size / 1024:.0f} KiB")
    return lines


def _same(a: Atoms, b: Atoms) -> bool:
    return len(a) == len(b) and bool((a.numbers == b.numbers).all()) and bool(abs(a.positions - b.positions).max() < 1e-9)  # Å


def baseline(session: Session, directory: Path, reason: str, repeats: int) -> list[str]:
    """Ratios of this device, from repeated runs at different thread counts."""
    before = torch.get_num_threads()
    runs: list[list[Record]] = []
    counted = Counted(session.options.progress)
    try:
        for repeat in range(repeats):
            torch.set_num_threads(1 + repeat % max(1, before))
            cells = []
            keys = session.cells()
            if not repeat:
                counted.begin(repeats * len(keys))
            for key in keys:
                cells.append(judge_by_limits(session, key))
                counted.ended(cells[-1].red)
            runs.append(cells)
    finally:
        torch.set_num_threads(before)
        PROGRESS.clear()
    red = [c for run in runs for c in run if c.verdict == "fail"]
    if red:
        raise InputError(f"{len(red)} cells are red, the first is {red[0].id}: {red[0].reason}; a baseline is recorded from a green run only")
    slug = device_slug(str(session.device))
    facts = {**provenance(repeats, describe(str(session.device))), "reason": reason}
    new = Baseline(
        schema_version=1, suite="precision", device=slug, provenance=facts, model={"name": session.model.name, "digest": session.model.digest},
        systems={n: s.digest for n, s in session.systems.items()}, seed=session.options.seed, references=references(session), cells=collect(runs),
    )  # fmt: skip
    path = baseline_path(directory, slug)
    lines, loosened = changes(read_baseline(path), new, session.tolerances.drift)
    if loosened and not reason:
        raise InputError(f"the new baseline of {slug} would loosen {len(loosened)} entries ({loosened[0]}); say why with --reason")
    write_baseline(path, new)
    return [*(lines[:40] or ["baseline: no ratio moved"]), _wrote(path)]


def _wrote(path: Path) -> str:
    return f"wrote {path}, {path.stat().st_size / 1024:.0f} KiB"


def references(session: Session) -> dict[str, dict[str, Print]]:
    """Prints of what every block of a session is judged on and by."""
    by_block = {}
    for system in session.systems:
        library = session.library(system)
        for block in session.blocks(system):
            if not library.refused(block.name):
                reference = library.get(block.name)
                by_block[f"{system}/{block.name}"] = prints_of(reference) | orders_of(reference)
    return by_block


def prints(session: Session, directory: Path, reason: str) -> list[str]:
    """Prints alone, into a baseline whose ratios stay: for one that was recorded, by the same upstream, before there were any.

    Raises:
        InputError: no baseline, one of another model, system or upstream, or prints that are there already and move, without a reason.
    """
    slug = device_slug(str(session.device))
    path = baseline_path(directory, slug)
    old = read_baseline(path)
    if old is None:
        raise InputError(f"baseline {path}: there is none to add prints to; record one with `{REGENERATE} --only baseline`")
    packages, stored = describe(str(session.device))["packages"], old.provenance.get("packages", {})
    others = [n for n in dict.fromkeys((*packages, *stored)) if n != "mpcheck" and stored.get(n) != packages.get(n)]
    others += [n for n, s in session.systems.items() if not old.matches(session.model.digest, n, s.digest, session.options.seed)]
    if others:
        raise InputError(f"baseline {path}: recorded with another {others[0]}; record it anew with `{REGENERATE} --only baseline`")
    new = old.model_copy(update={"references": references(session)})
    _, loosened = changes(old, new, session.tolerances.drift)
    if loosened and not reason:
        raise InputError(f"baseline {path}: {loosened[0]}; say why with --reason")
    write_baseline(path, new)
    return [*loosened, f"{_wrote(path)}: prints of {len(new.references)} blocks"]


def main(arguments: list[str] | None = None) -> int:
    """Command line of the session."""
    parser = argparse.ArgumentParser(prog=REGENERATE, description=__doc__)
    parser.add_argument("--reason", default="", help="why a gate is loosened")
    parser.add_argument("--only", choices=("golden", "baseline", "prints", "tolerances"), default=None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--baselines", type=Path, default=Path("baselines"))
    parser.add_argument("--system", action="append", default=[], help="default: the built-in ones")
    parser.add_argument("--backend", action="append", default=[], help="default: e3nn and cueq")
    parser.add_argument("--block", action="append", default=[], help="glob pattern; default: all")
    args = parser.parse_args(arguments)
    try:
        systems, blocks, backends = tuple(args.system), tuple(args.block), tuple(args.backend) or DEFAULT_BACKENDS
        session = Session(Options(MODEL, systems, args.device, backends, blocks=blocks, progress=PROGRESS))
        lines: list[str] = []
        if args.only in (None, "golden"):
            lines += golden(session, args.baselines, args.reason)
        if args.only in (None, "baseline"):
            lines += baseline(session, args.baselines, args.reason, args.repeats)
        if args.only == "prints":
            lines += prints(session, args.baselines, args.reason)
        if args.only in (None, "tolerances"):
            lines.append(derive(MODEL, "", None, REFERENCE_BACKEND, None, 0))
    except InputError as error:
        PROGRESS.clear()
        say(f"{PREFIX}{error}", error=True)
        return 2
    PROGRESS.clear()
    say_lines("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
