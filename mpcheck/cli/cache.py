"""``mpcheck cache``: what the references take on disk, and which are kept no longer."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._memory import size_of
from mpcheck._text import counted, listed, one_line, say, shortened
from mpcheck.cli.options import shared

if TYPE_CHECKING:
    from mpcheck.reference.kept import Kept, Told
    from mpcheck.reference.pruning import Pruned

cache_app = typer.Typer(no_args_is_help=True, help="References on disk: show, prune.")

ROWS = 12
SHOWN = 60  # lines of what goes
WIDTH = 180  # of a table where no terminal says
NUMBERS = ("MB", "entries", "unused days")
OLDER = "what nothing has used for so many days; where nothing is chosen, 30"
ELSEWHERE = "--cache DIR or MPCHECK_CACHE_DIR names another place"


def megabytes(size: int) -> str:
    """A size as it is shown."""
    return f"{size / 1e6:,.1f}"


def age(one: Kept, now: float) -> int:
    """Days for which nothing has used a reference."""
    from mpcheck.reference.pruning import DAY

    return round(max(0.0, now - one.used) / DAY)


def _place(cache: Path | None) -> Path:
    from mpcheck.reference.layout import default_cache

    return cache or default_cache()


@cache_app.command()
@shared("cache")
def show(
    cache: Path | None, verbose: Annotated[bool, typer.Option("--verbose", "-v", help="every reference, not the largest ones alone")] = False
) -> None:
    """Where references are kept, and how much disk each takes, largest first; how long nothing has used it, and which code made it."""
    from mpcheck._console import Grid
    from mpcheck.reference.kept import kept, told
    from mpcheck.reference.layout import SCHEMA

    root, now = _place(cache), time.time()
    every = kept(root)
    if not every:
        say(f"no references in {root}; {ELSEWHERE}")
        return
    manifests = {one.name: told(one) for one in every}
    present = [manifests[one.name] for one in every if one.schema == SCHEMA]
    newest = max(((manifest.made, manifest.code) for manifest in present), default=("", ""))[1]
    grid = Grid(f"references in {root}", pad_edge=True)
    for column in ("reference", *NUMBERS, "made", "of", "by code"):
        grid.column(column, right=column in NUMBERS, overflow="fold")
    shown = len(every) if verbose else ROWS
    for one in every[:shown]:
        manifest = manifests[one.name]
        what = shortened(f"{manifest.what}, {one.foreign}: never pruned" if one.foreign else manifest.what, 120)
        grid.row([one.name, *_numbers([one]), str(age(one, now)), one_line(manifest.made)[:10], what, _code(one, manifest, newest)])
    for name, several in ((f"{len(every) - shown} more (-v)", every[shown:]), ("total", every)):
        if several:
            grid.row([name, *_numbers(several)])
    grid.show(WIDTH)
    say(f"`mpcheck cache prune` removes what nothing uses any more; {ELSEWHERE}")


def _numbers(several: Sequence[Kept]) -> tuple[str, str]:
    return megabytes(sum(one.size for one in several)), f"{sum(one.entries for one in several):,}"


def _code(one: Kept, manifest: Told, newest: str) -> str:
    """Which code made a reference, in words."""
    from mpcheck.reference.layout import SCHEMA
    from mpcheck.report.references import INSTALLED, SHORT

    if one.schema != SCHEMA:
        return f"schema {one.schema}; this mpcheck reads {SCHEMA}"
    if not manifest.code:
        return "unknown"
    by = shortened(listed([INSTALLED.sub("", package) for package in manifest.by], 3), 120)
    which = "newest" if manifest.code == newest else "earlier"
    return f"{one_line(manifest.code)[:SHORT]} ({which})" + (f": {by}" if by else "")


@cache_app.command()
@shared("cache")
def prune(
    cache: Path | None,
    older_than: Annotated[float | None, typer.Option("--older-than", metavar="DAYS", help=OLDER)] = None,
    to_size: Annotated[str, typer.Option("--to-size", metavar="SIZE", help="what was used longest ago, until so much is left: 2GB, 500MB")] = "",
    everything: Annotated[bool, typer.Option("--all", help="everything")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would go, and remove nothing")] = False,
) -> None:
    """Remove references that are used no longer, and all of other schema versions. A run that asks for one builds it anew.

    What another process uses stays, and so does whatever the cache has not made.
    """
    from mpcheck.reference.kept import kept
    from mpcheck.reference.pruning import DAYS, Wish
    from mpcheck.reference.pruning import prune as remove

    if older_than is not None and not 0 <= older_than < math.inf:  # NaN is neither
        raise InputError(f"--older-than is {older_than:g}; give days such as 30")
    size = size_of(to_size, "--to-size") if to_size else None
    chosen = [name for name, given in (("--older-than", older_than is not None), ("--to-size", size is not None)) if given]
    if everything and chosen:
        raise InputError(f"--all leaves nothing for {' and '.join(chosen)} to choose from; give one or the other")
    root, now = _place(cache), time.time()
    every = kept(root)
    if not every:
        say(f"no references in {root}; {ELSEWHERE}")
        return
    days = older_than if everything or chosen else DAYS
    done = remove(root, every, Wish(days, size, everything), now, dry_run)
    _tell(done, every, now, dry_run)
    if size is not None and done.held > size:
        say(f"{megabytes(done.held)} MB stay, more than --to-size {to_size}")
    if done.failed:
        names = listed([f"{one.name}: {why}" for one, why in done.failed], 3)
        raise InputError(f"{counted(len(done.failed), 'reference')} in {root} cannot be removed ({names}); do it as the user whose cache it is")


def _tell(done: Pruned, every: Sequence[Kept], now: float, dry: bool) -> None:
    """What has gone, what has not, how much is free."""
    went, freed = ("would go", "would free") if dry else ("removed", "freed")
    for one in done.gone[:SHOWN]:
        say(f"{went}: {one.name}, {megabytes(one.size)} MB, unused for {counted(age(one, now), 'day', 'days')}")
    if len(done.gone) > SHOWN:
        say(f"and {len(done.gone) - SHOWN} more")
    for one, why in done.stayed[:SHOWN]:
        say(f"stays: {one.name}: {why}")
    if len(done.stayed) > SHOWN:
        say(f"and {len(done.stayed) - SHOWN} more stay")
    what = f"{len(done.gone)} of {counted(len(every), 'reference')}"
    say(f"{freed} {megabytes(done.freed)} MB, {what}; {megabytes(done.held)} MB {'would be left' if dry else 'are left'}")
