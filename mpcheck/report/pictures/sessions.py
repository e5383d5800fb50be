"""The pictures that sessions leave beside their records, each a file that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.blocks import block_pictures
from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.distributions import Samples, distribution_pictures
from mpcheck.report.pictures.heat import heat_maps
from mpcheck.report.pictures.ranges import Sample, range_pictures
from mpcheck.report.pictures.svg import write_pictures, write_sheet
from mpcheck.report.pictures.sweep import sweep_pictures
from mpcheck.report.pictures.words import slug

Maps = Mapping[tuple[str, str, str, str], Sequence[Record]]
"""The blocks of every map, by system, format, work and backend."""


def write_precision_picture(path: Path, run: Records) -> None:
    """Error over allowed error, the worst of every block and format.

    Raises:
        InputError: the place cannot be written.
    """
    with settings():
        drawn = heat_maps(run)
    write_sheet(path, f"{run.model.name} on {run.environment.device_name}: error ÷ allowed error", drawn)


def write_bench_picture(path: Path, model: str, samples: Iterable[Sample]) -> None:
    """Latency of every benchmark; nothing is written where none was timed.

    Raises:
        InputError: the place cannot be written.
    """
    with settings():
        drawn = range_pictures(samples)
    if drawn:
        write_sheet(path, f"{model}: latency of every benchmark", drawn)


def write_profile_pictures(directory: Path, run: Records, maps: Maps, samples: Samples, sweep: Sequence[Record]) -> list[Path]:
    """Own times of the blocks, a file for each work and format; distributions of call times; the sweep. Returns the files.

    Raises:
        InputError: the directory cannot be written.
    """
    head, cpu = f"{run.model.name} on {run.environment.device_name}", not run.environment.device.startswith("cuda")
    seen, several, written = list(dict.fromkeys(key[:3] for key in maps)), len({fmt for _, fmt, *_ in maps}) > 1, list[Path]()
    with settings():
        for system, fmt, work in seen:
            drawn = block_pictures({key[3]: rows for key, rows in maps.items() if key[:3] == (system, fmt, work)}, cpu)
            name = slug(run.suite, work, fmt if several else "", taken={p.stem for p in written})
            written.append(write_sheet(directory / f"{name}.svg", f"{head}: {work}, {fmt}, {system}", drawn))
        for name, title, drawn in (
            ("profile-latency", "time of one call", distribution_pictures(samples)),
            ("profile-sweep", "energy+forces, 16x0e + 16x1o, two layers", sweep_pictures(sweep)),
        ):
            if drawn:
                written.append(write_sheet(directory / f"{name}.svg", f"{head}: {title}", drawn))
    return written


def write_own_pictures(directory: Path, make: Callable[[], list[Picture]]) -> list[Path]:
    """Write what a session draws itself, each picture into a file of its own; returns the files.

    Raises:
        InputError: the place cannot be written.
    """
    with settings():
        made = make()
    return write_pictures(directory, made)
