"""Who decides what a gate does: the workflow first, then the settings of base, and head's own only where base has none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.io import is_file
from mpcheck.gate.differences import narrows
from mpcheck.gate.settings import ALLOW_VARIABLE, FILE, GateSettings, combined, from_environment, from_options, places_of, read_settings, table_of
from mpcheck.gate.trees import Tree
from mpcheck.history.objections import ALLOWANCES, Objection, cut


@dataclass(frozen=True)
class Asked:
    """What the workflow asks for; the change has no say in it.

    Attributes:
        config: file of settings that it names; None for ``mpcheck.toml`` in the root. pins: settings that it gives itself, by field.
        places: where each of them comes from. allow: of :data:`mpcheck.history.objections.ALLOWANCES`, what it tolerates.
    """

    config: Path | None = None
    pins: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()

    def file(self, root: Path) -> Path:
        """Where the settings of a tree are."""
        return self.config or root / FILE

    def read(self, path: Path) -> GateSettings:
        """The settings of a file under what the workflow gives; the defaults where there is none.

        Raises:
            InputError: a file that is wrong; the first wrong field.
        """
        table = table_of(path) if self.config is not None or path.exists() else {}
        return combined(table, self.pins, f"settings {path}", self.places)


@dataclass(frozen=True)
class Decided:
    """What a gate does.

    Attributes:
        settings: that both sides are judged by. install: that head is installed by.
        objections: how head's settings differ from them. notes: whose they are.
    """

    settings: GateSettings
    install: GateSettings
    objections: list[Objection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def asked(config: Path | None, options: Mapping[str, Any], allow: Collection[str], environment: Mapping[str, str]) -> Asked:
    """What options and variables say.

    Raises:
        InputError: an unknown variable or allowance, no number where one belongs.
    """
    variables, typed = from_environment(environment), from_options(options)
    names = [*allow] or environment.get(ALLOW_VARIABLE, "").split(",")
    chosen = {name.strip() for name in names if name.strip()}
    for name in sorted(chosen - set(ALLOWANCES)):
        raise InputError(f"{'--allow' if allow else f'variable {ALLOW_VARIABLE}'}: {name} is unknown; there are {', '.join(ALLOWANCES)}")
    return Asked(config, {**variables, **typed}, places_of(variables, typed), frozenset(chosen))


def first_settings(root: Path, what: Asked, options: Mapping[str, Any], environment: Mapping[str, str]) -> GateSettings:
    """Head's settings, of which the name of base is taken. Where a base is named, it may have settings that head lacks.

    Raises:
        InputError: see :func:`mpcheck.gate.settings.read_settings`.
    """
    if what.pins.get("base") and what.config is None and root.is_dir():
        return what.read(what.file(root))
    return read_settings(root, what.config, options, environment)


def decide(what: Asked, base: Tree | None, head: Tree, own: GateSettings) -> Decided:
    """Base's settings where it has any, and how head's differ.

    Args:
        own: head's, with what the workflow gives.

    Raises:
        InputError: no settings at all.
    """
    notes = [f"base {own.base} was named by the change itself, in {FILE}; let the workflow name it"] if own.base and "base" not in what.pins else []
    ours = what.file(head.root)
    if base is None:
        return Decided(own, own, notes=[*notes, "no base: settings, model, structures and baselines are those of the change itself"])
    theirs = _counterpart(ours, base, head)
    if theirs is None:
        return Decided(own, own, notes=[*notes, f"settings {ours} lie outside of the repository: the workflow's"])
    if not is_file(theirs):
        if not is_file(ours) and not set(what.pins) - {"base"}:
            raise InputError(f"no {FILE} in {head.root} or in its base, and no settings in MPCHECK_GATE_… variables; `mpcheck init` writes one")
        return Decided(own, own, notes=[*notes, f"base has no settings ({theirs.name}): those of head decide, in this first gate"])
    try:
        settings = what.read(theirs) if what.config is None else Asked(theirs, what.pins, what.places).read(theirs)
        before = Asked(theirs).read(theirs)
    except InputError as error:
        why = Objection(kind="settings", what=theirs.name, base=cut(f"wrong ({error})"), head="those that decide", effect="loosens")
        return Decided(own, own, [why], notes)
    if not is_file(ours):
        gone = Objection(kind="settings", what=theirs.name, base="there", effect="narrows")
        return Decided(_with_base(settings, own), settings, [gone], notes)
    objections = narrows(before, Asked(ours).read(ours), set(what.pins))
    install = own if "settings" in what.allow else settings
    return Decided(_with_base(settings, own), install, objections, [*notes, f"settings: those of base decide ({theirs.name})"])


def _with_base(settings: GateSettings, own: GateSettings) -> GateSettings:
    """The settings, with the base that was taken."""
    return settings.model_copy(update={"base": own.base})


def _counterpart(file: Path, base: Tree, head: Tree) -> Path | None:
    """Base's file of the same name; None of a file outside of the repository."""
    place = file.absolute()
    for top in (head.top, head.top.resolve()):
        if place.is_relative_to(top):
            return base.top / place.relative_to(top)
    return base.top / place.resolve().relative_to(head.top.resolve()) if place.resolve().is_relative_to(head.top.resolve()) else None
