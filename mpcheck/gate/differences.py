"""Settings of base against those of head: which of the differences would weaken every later gate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mpcheck._errors import InputError
from mpcheck.formats import get_format
from mpcheck.gate.settings import FIELDS, GateSettings
from mpcheck.history.objections import Effect, Objection, cut
from mpcheck.records.names import DEFAULT_BACKENDS

Rule = Callable[[Any, Any], Effect]
MARGIN, LAUNCHES, SECONDS = 0.02, 5, 600.0
"""What the bench session takes where a setting is 0, base against head (:mod:`mpcheck.bench.decide.decision`)."""


def _changed(base: Any, head: Any) -> Effect:
    """Whatever may let something through, or nothing: nobody can tell."""
    return "loosens"


def _neutral(base: Any, head: Any) -> Effect:
    return "neutral"


def _more_is_stricter(usual: float) -> Rule:
    def rule(base: Any, head: Any) -> Effect:
        old, new = base or usual, head or usual
        return "neutral" if old == new else "widens" if new > old else "loosens"

    return rule


def _less_is_stricter(usual: float) -> Rule:
    turned = _more_is_stricter(usual)

    def rule(base: Any, head: Any) -> Effect:
        return turned(head, base)

    return rule


def covered(pattern: str, patterns: Sequence[str]) -> bool:
    """Whether patterns surely select what one selects. Of two with wildcards that is known only of ``*`` and of the same one."""
    plain = not set("*?[") & set(pattern)
    return any(other in ("*", pattern) or (plain and fnmatchcase(pattern, other)) for other in patterns)


def _patterns(base: Sequence[str], head: Sequence[str]) -> Effect:
    """Globs, of which none means all."""
    old, new = base or ("*",), head or ("*",)
    if not all(covered(pattern, new) for pattern in old):
        return "narrows"
    return "neutral" if all(covered(pattern, old) for pattern in new) else "widens"


def _selection(every: Callable[[Sequence[str]], Collection[str] | None]) -> Rule:
    """Names out of some, or out of an unknown number where ``every`` gives None for an empty list."""

    def rule(base: Sequence[str], head: Sequence[str]) -> Effect:
        old, new = every(base), every(head)
        if old is None or new is None:
            return "narrows" if old != new else "neutral"
        return "narrows" if not set(old) <= set(new) else "widens" if set(new) - set(old) else "neutral"

    return rule


def _formats(base: Sequence[str], head: Sequence[str]) -> Effect:
    return _patterns([_format(name) for name in base], [_format(name) for name in head])


def _format(name: str) -> str:
    try:
        return get_format(name).name
    except InputError:  # the session will say so
        return name


def _flag(base: bool, head: bool) -> Effect:
    return "loosens" if head else "widens"


def _reference(base: str, head: str) -> Effect:
    return "loosens" if head == "own" else "widens"


def _named(base: str, head: str) -> Effect:
    """Something to compare with: to name one where there was none judges more."""
    return "widens" if head and not base else "loosens"


def _let_be(base: Sequence[str], head: Sequence[str]) -> Effect:
    """Names of what is let be: more of them let more through."""
    return "loosens" if set(head) - set(base) else "widens" if set(base) - set(head) else "neutral"


RULES: dict[str, Rule] = {
    "base": _named,
    "install": _changed,
    "model": _changed,
    "systems": _selection(lambda names: names or None),  # those that fit, of an empty list
    "backends": _selection(lambda names: names or DEFAULT_BACKENDS),
    "formats": _formats,
    "blocks": _patterns,
    "sessions": _selection(lambda names: names),
    "device": _changed,
    "margin": _less_is_stricter(MARGIN),
    "baselines": _named,
    "history": _neutral,  # only tells since when something is red
    "require": _selection(lambda names: names),
    "allow-degraded": _let_be,
    "only-new": _flag,
    "reference": _reference,
    "timeout": _neutral,  # what takes longer is red
    "workers": _neutral,
    "bench.blocks": _patterns,
    "bench.formats": _formats,
    "bench.launches": _more_is_stricter(LAUNCHES),
    "bench.seconds": _more_is_stricter(SECONDS),
    "bench.threads": _changed,
}
"""By setting, what a difference of it means. One without a rule loosens."""


def values(settings: GateSettings) -> dict[str, Any]:
    """Every setting by its name in the file. What the bench session takes from the gate has the gate's value."""
    data = settings.model_dump(by_alias=True)
    bench = data.pop("bench")
    found = {name: data[name] for name in FIELDS if not name.startswith("bench.")} | {f"bench.{name}": value for name, value in bench.items()}
    return found | {f"bench.{name}": found[f"bench.{name}"] or found[name] for name in ("blocks", "formats")}


def narrows(base: GateSettings, head: GateSettings, pinned: Collection[str] = ()) -> list[Objection]:
    """Each difference of the settings, and what it would do to every later gate.

    Args:
        pinned: settings that the workflow gives, so that the file's do nothing.
    """
    old, new, found = values(base), values(head), []
    for name in old:
        if old[name] == new[name] or (name.startswith("bench.") and _inherited(name, base, head)):
            continue
        effect: Effect = "neutral" if name in pinned else RULES.get(name, _changed)(old[name], new[name])
        found.append(Objection(kind="settings", what=name, base=shown(old[name]), head=shown(new[name]), effect=effect))
    return found


def _inherited(name: str, base: GateSettings, head: GateSettings) -> bool:
    """Whether neither side gives the bench session a value of its own: the gate's difference is told already."""
    field = name.removeprefix("bench.")
    return field in ("blocks", "formats") and not getattr(base.bench, field) and not getattr(head.bench, field)


def shown(value: Any) -> str:
    """A setting's value, for people."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
    return cut(text) if text else "default"
