"""The plugin's ``--mp-`` options, and what they make of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._files.io import is_file
from mpcheck.formats import FORMATS, get_format
from mpcheck.records.names import DEFAULT_BACKENDS


def add_options(parser: pytest.Parser) -> None:
    """Options, all prefixed ``--mp-``; several names are separated by commas."""
    group = parser.getgroup("mpcheck", "numerical checks of MACE models")
    add = group.addoption
    add(
        "--mp-model",
        default="builtin:hco",
        metavar="MODEL",
        help="model: builtin:hco, recipe:NAME, FILE.model, ARCH.yaml[+WEIGHTS], mace_mp:NAME, mace_off:NAME",
    )
    add(
        "--mp-system",
        default="",
        metavar="SYSTEMS",
        help="systems: builtin:NAME[:N] or FILE[@SLICE]; default: those built-in ones that the model's elements allow",
    )
    add("--mp-device", default="cpu", metavar="DEVICE", help="cpu, cuda or cuda:N")
    add("--mp-backend", default=",".join(DEFAULT_BACKENDS), metavar="BACKENDS", help="e3nn, cueq, cueq-mul_ir or a registered one")
    add("--mp-format", default="", metavar="FORMATS", help="number formats; default: all")
    add("--mp-block", default="", metavar="GLOBS", help="blocks, as glob patterns; default: all")
    add("--mp-cache", default=None, metavar="DIR", help="cache of references; default: MPCHECK_CACHE_DIR or the platform's cache directory")
    add("--mp-out", default=None, metavar="DIR", help="write DIR/precision.json and DIR/precision.md")
    add(
        "--mp-require",
        default="",
        metavar="CAPABILITIES",
        help="cuda, cueq, cueq-kernels, baseline or a backend: missing ones fail instead of being unsupported",
    )
    add("--mp-allow-degraded", default="", metavar="GLOBS", help="backends, or BACKEND:BLOCK, that something else may compute; default: none")
    add("--mp-tolerances", default=None, metavar="FILE", help="a tolerance file instead of the packaged limits")
    add("--mp-baselines", default=None, metavar="DIR", help="directory of stored baselines; default: ./baselines")
    add("--mp-check", default="", metavar="CHECKS", help="checks of the symmetry or audit session; default: all")
    add("--mp-seed", default=0, type=int, metavar="N", help="seed of built-in systems, cotangents and Monte Carlo draws")
    add("--mp-shard", default="", metavar="K/N", help="part K of N of the work, for several machines; `mpcheck merge` puts the parts together")


def names(config: pytest.Config, option: str) -> tuple[str, ...]:
    """What an option lists between commas, each once."""
    return tuple(dict.fromkeys(part.strip() for part in str(config.getoption(option)).split(",") if part.strip()))


def formats(config: pytest.Config) -> tuple[str, ...]:
    """Formats that the user named, by their own names; none where none was named."""
    return tuple(dict.fromkeys(get_format(name).name for name in names(config, "--mp-format")))  # one has several names


def _systems(text: str) -> tuple[str, ...]:
    """Names between commas; a file whose own name has one is named as it is."""
    if is_file(Path(text.rpartition("@")[0] or text)):
        return (text,)
    return tuple(part.strip() for part in text.split(",") if part.strip())


def make_options(config: pytest.Config) -> Any:
    """The run's options from pytest's."""
    from mpcheck.records.shards import parse_shard
    from mpcheck.sessions.run import Options, stderr_progress

    cache, tolerances = config.getoption("--mp-cache"), config.getoption("--mp-tolerances")
    shard = str(config.getoption("--mp-shard"))
    return Options(
        model=str(config.getoption("--mp-model")),
        systems=_systems(str(config.getoption("--mp-system"))),
        device=_device(config),
        backends=names(config, "--mp-backend"),
        formats=formats(config) or tuple(FORMATS),
        blocks=names(config, "--mp-block"),
        cache=Path(cache) if cache else None,
        require=names(config, "--mp-require"),
        allow_degraded=names(config, "--mp-allow-degraded"),
        tolerances=Path(tolerances) if tolerances else None,
        seed=int(config.getoption("--mp-seed")),
        shard=str(parse_shard(shard)) if shard else "",
        progress=stderr_progress,
    )


def _device(config: pytest.Config) -> str:
    """The device of this process. Under xdist, ``cuda`` is a GPU per worker, of those that CUDA_VISIBLE_DEVICES leaves; ``cuda:N`` is N."""
    device = str(config.getoption("--mp-device"))
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if device == "cuda" and worker:
        import torch

        if torch.cuda.device_count() > 1:  # counts visible ones, and cuda:N is the Nth of them
            return f"cuda:{int(worker.removeprefix('gw')) % torch.cuda.device_count()}"
    return device
