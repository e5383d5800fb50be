"""Blocks that a search decides together: of one role in one layer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpcheck.adapters.blocks import Block
from mpcheck.formats import Compute
from mpcheck.policy.rules import Policy, Rule

_LAYER = re.compile(r"\.(\d+)(?:\.|$)")
APART = frozenset({"atomic energies"})
"""Roles that no format is searched for: they are summed apart in float64 in every policy that is made here."""


@dataclass(frozen=True)
class Family:
    """Leaves of a role in a layer.

    Attributes:
        name: ``linear, layer 0``. paths: of their modules.
    """

    name: str
    paths: tuple[str, ...]


def families(blocks: Sequence[Block]) -> list[Family]:
    """Families of a model's leaves, in the model's order."""
    found: dict[str, dict[str, None]] = {}
    for block in blocks:
        if block.kind == "leaf" and block.role not in APART:
            layer = _LAYER.search(block.module_path)
            found.setdefault(f"{block.role}, layer {layer[1]}" if layer else block.role, {})[block.module_path] = None
    return [Family(name, tuple(paths)) for name, paths in found.items()]


def assembled(name: str, base: Compute, chosen: Mapping[Family, Compute]) -> Policy:
    """The policy that runs families in formats, and everything else in the base."""
    by_format: dict[Compute, list[str]] = {}
    for family, fmt in chosen.items():
        if fmt != base:
            by_format.setdefault(fmt, []).extend(literal(path) for path in family.paths)
    lowered = [f"{family.name} in {fmt}" for family, fmt in chosen.items() if fmt != base]
    title = f"{'; '.join(lowered)}; the rest in {base}" if lowered else f"everything in {base}"
    return Policy(name=name, title=title, base=base, rules=[Rule(blocks=paths, compute=fmt) for fmt, paths in by_format.items()])


def literal(path: str) -> str:
    """A glob pattern that matches a path alone."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def as_yaml(policy: Policy) -> str:
    """A policy as a file that :func:`mpcheck.policy.rules.get_policy` reads; only what is not default is written."""
    fields = policy.model_dump(exclude_defaults=True, exclude={"rules"}) | {"base": policy.base, "energies": policy.energies}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    rules = [json.dumps(rule.model_dump(exclude_defaults=True), ensure_ascii=False) for rule in policy.rules]
    return "\n".join([*lines, *(["rules:", *(f"  - {rule}" for rule in rules)] if rules else [])]) + "\n"
