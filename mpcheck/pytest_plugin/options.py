"""The plugin's ``--mp-`` options, made of what the sessions declare, and what they make of a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Declared, declared, split, split_systems
from mpcheck.sessions.registry import sessions

OUT = "--mp-out"


def add_options(parser: pytest.Parser) -> None:
    """Options, all prefixed ``--mp-``; several names are separated by commas. One that only some sessions take names them."""
    group = parser.getgroup("mpcheck", "numerical checks of MACE models")
    group.addoption(OUT, default=None, metavar="DIR", help="directory of SESSION.json and SESSION.md")
    suites = sum(bool(spec.work) for spec in sessions().values())
    for name, every in taken().items():
        one, whose = every[0][1], "" if len(every) == suites else f"{', '.join(spec.name for spec, _ in every)}: "
        shown: dict[str, Any] = {"action": "store_true"} if one.type is bool else {"metavar": _metavar(one)}
        group.addoption(f"--mp-{name}", default=None, help=whose + one.option.help.replace("%", "%%"), **shown)


def taken() -> dict[str, list[tuple[SessionSpec, Declared]]]:
    """By an option's name the sessions that take it, each with what it declares of it."""
    takers: dict[str, list[tuple[SessionSpec, Declared]]] = {}
    for spec in sessions().values():
        for one in spec.declared.values() if spec.work else ():
            if not one.option.command_only:
                takers.setdefault(one.name, []).append((spec, one))
    return takers


def _metavar(one: Declared) -> str:
    word = one.option.metavar or one.name.upper()
    return f"{word},…" if one.several else word


def given(config: pytest.Config, name: str) -> str:
    """What the user gave an option, as text; its default where nothing was given."""
    value = config.getoption(f"--mp-{name}", default=None)
    if value is not None:
        return str(value)
    default = next(one.default for spec in sessions().values() for one in declared(spec.options).values() if one.name == name)
    return "" if default in (None, ()) else str(default)


def options_of(config: pytest.Config, spec: SessionSpec) -> Any:
    """The options of a session's run from pytest's.

    Raises:
        InputError: what a user gave does not fit.
    """
    values: dict[str, Any] = {"progress": _progress(config)}
    for field, one in spec.declared.items():
        text = config.getoption(f"--mp-{one.name}", default=None)
        if text in (None, "", False):
            continue
        texts = [str(text)] if not one.several else split_systems(str(text)) if field == "systems" else split(str(text))
        values[field] = one.parsed(texts, f"--{one.name}")
    return spec.options(**values | {"device": _device(config, values.get("device", spec.options.device))})


def _progress(config: pytest.Config) -> Callable[[str], None]:
    """Past pytest's capturing; of xdist's processes only the one that counts them speaks."""
    from mpcheck._progress import PROGRESS

    capturing = config.pluginmanager.get_plugin("capturemanager")

    def said(text: str) -> None:
        with capturing.global_and_fixture_disabled() if capturing is not None else nullcontext():
            PROGRESS(text)

    return said if not hasattr(config, "workerinput") else lambda _: None


def _device(config: pytest.Config, device: str) -> str:
    """The device of this process. Under xdist, ``cuda`` is a GPU per worker, of those that CUDA_VISIBLE_DEVICES leaves; ``cuda:N`` is N."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if device == "cuda" and worker:
        from mpcheck._cuda import CUDA

        if CUDA.device_count() > 1:  # counts visible ones, and cuda:N is the Nth of them
            return f"cuda:{int(worker.removeprefix('gw')) % CUDA.device_count()}"
    return device
