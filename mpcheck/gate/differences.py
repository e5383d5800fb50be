"""Settings of base against those of head: which of the differences would weaken every later gate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mpcheck._errors import InputError
from mpcheck.formats import get_format
from mpcheck.gate.settings import DECLARED, FIELDS, GateSettings
from mpcheck.history.objections import Effect, Objection, cut
from mpcheck.sessions.options import Options

Rule = Callable[[Any, Any], Effect]
ALL_BACKENDS = Options.backends  # of an empty list


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


def _tolerated(base: Sequence[str], head: Sequence[str]) -> Effect:
    """Names of what is tolerated: more of them let more through."""
    return "loosens" if set(head) - set(base) else "widens" if set(base) - set(head) else "neutral"


NAMED: dict[str, Callable[[float], Rule]] = {
    "changed": lambda _: _changed,
    "neutral": lambda _: _neutral,
    "named": lambda _: _named,
    "flag": lambda _: _flag,
    "reference": lambda _: _reference,
    "patterns": lambda _: _patterns,
    "formats": lambda _: _formats,
    "names": lambda _: _selection(lambda names: names or None),  # those that fit, of an empty list
    "backends": lambda _: _selection(lambda names: names or ALL_BACKENDS),
    "stricter": lambda _: _selection(lambda names: names),
    "looser": lambda _: _tolerated,
    "more is stricter": _more_is_stricter,
    "less is stricter": _less_is_stricter,
}
"""By the word with which an option says what a difference of it means; of a number with what 0 stands for."""
RULES: dict[str, Rule] = {name: NAMED[one.option.rule](one.option.usual) for name, one in DECLARED.items()}


def values(settings: GateSettings) -> dict[str, Any]:
    """Every setting by its name in the file. What a session's own table leaves to the gate has the gate's value."""
    given = settings.model_dump(by_alias=True)
    tables = {name: given.pop(name) for name in list(given) if isinstance(given[name], dict)}
    own = {f"{session}.{name}": value or given.get(name, value) for session, table in tables.items() for name, value in table.items()}
    return given | own


def narrows(base: GateSettings, head: GateSettings, pinned: Collection[str] = ()) -> list[Objection]:
    """Each difference of the settings, and what it would do to every later gate.

    Args:
        pinned: settings that the workflow gives, so that the file's do nothing.
    """
    old, new, objections = values(base), values(head), []
    for name in old:
        if old[name] == new[name] or _inherited(name, base, head):
            continue
        effect: Effect = "neutral" if name in pinned else RULES.get(name, _changed)(old[name], new[name])
        objections.append(Objection(kind="settings", what=name, base=shown(old[name]), head=shown(new[name]), effect=effect))
    return objections


def _inherited(name: str, base: GateSettings, head: GateSettings) -> bool:
    """Whether neither side gives a session a value of its own: the gate's difference is told already."""
    session, dot, field = name.partition(".")
    return bool(dot) and field in FIELDS and not any(getattr(getattr(side, session), field.replace("-", "_")) for side in (base, head))


def shown(value: Any) -> str:
    """A setting's value, for people."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
    return cut(text) if text else "default"
