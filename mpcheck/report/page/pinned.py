"""Which names a command in a comment may hold: a reader pastes it, and the records that it is made from may be anybody's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck.formats import FORMATS
from mpcheck.records.reproduce import REPEATED
from mpcheck.sessions.registry import sessions

MODELS = re.compile(
    r"builtin:hco|recipe:(canonical|odd)(:[A-Z][a-z]?(-[A-Z][a-z]?){0,118})?|mace_off:(small|medium|large)"
    r"|mace_mp:(small|medium|large|small-0b|medium-0b|small-0b2|medium-0b2|large-0b2|medium-0b3|medium-mpa-0|small-omat-0|medium-omat-0"
    r"|mace-matpes-pbe-0|mace-matpes-r2scan-0|mh-0|mh-1)"
)
"""Models that this project or upstream publishes, by name. Upstream's loader also takes an address or a file: those are nobody's."""
SYSTEMS = re.compile(r"builtin:(water|solvents|slab|dense|batch|isolated|diamond|carbon-cluster)(:[0-9]{1,5})?")
OPTIONS = {
    "--model": MODELS,
    "--system": SYSTEMS,
    "--backend": re.compile(r"e3nn|cueq(-mul_ir|-unfused)?"),
    "--format": re.compile("|".join(FORMATS)),
    "--check": re.compile("|".join(re.escape(check) for spec in sessions().values() if spec.takes("checks") for check in spec.checks)),
    "--work": re.compile(r"forward|forward\+backward|energy|energy\+forces"),
    "--block": re.compile(r"(?=.{1,200}\Z)[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*(@[0-9]{1,6})?"),
    "--batch": re.compile(r"[0-9]{1,6}"),
    "--device": re.compile(r"cpu|cuda(:[0-9]{1,3})?"),
    "--seed": re.compile(r"[0-9]{1,20}"),
    "--base": re.compile(r"[0-9a-f]{7,64}|none"),
    "--session": re.compile("|".join(sessions())),
    "--out": re.compile(re.escape(REPEATED)),
}
"""What every option may be given, and no other option: names that this project knows, or plain names of submodules."""


@dataclass(frozen=True)
class Pinned:
    """Names that the gated repository's own settings vouch for, as its maintainers have merged them.

    Attributes:
        models, systems, backends: besides those that are known anyway.
    """

    models: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()

    def vouches(self, words: Sequence[str]) -> bool:
        """Whether a command holds nothing but names that are known here or pinned there."""
        program, session, *rest = words
        if program != "mpcheck" or session not in (*(spec.command for spec in sessions().values()), "gate"):
            return False
        left = iter(rest)
        for word in left:
            option = word if word.startswith("-") else "--model"
            value = next(left, "") if word.startswith("-") else word
            if not self._known(option, value):
                return False
        return True

    def _known(self, option: str, value: str) -> bool:
        named = {"--model": self.models, "--system": self.systems, "--backend": self.backends}.get(option, frozenset())
        return value in named or (option in OPTIONS and OPTIONS[option].fullmatch(value) is not None)
