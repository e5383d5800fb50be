"""Which format a policy gives every block of a model: leaves by their rules, all else by the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import Block
from mpcheck.policy.rules import BlockFormat, Policy, carrier, filled

ROLE = "role:"


def matches(pattern: str, block: Block) -> bool:
    """Whether a rule's pattern names a block, by its role or by the path of its module."""
    if pattern.startswith(ROLE):
        return fnmatchcase(block.role, pattern.removeprefix(ROLE))
    return fnmatchcase(block.module_path, pattern)


def assigned(policy: Policy, blocks: Sequence[Block]) -> dict[str, BlockFormat]:
    """Format of every leaf block, by the path of its module.

    Args:
        blocks: of the model; composites and steps are left out: a composite runs as its leaves do, a step in the format of what it is given.

    Raises:
        InputError: a rule whose pattern matches no leaf, which then would change nothing.
    """
    leaves = [b for b in blocks if b.kind == "leaf"]
    formats = {b.module_path: policy.default() for b in leaves}
    for rule in policy.rules:
        for pattern in rule.blocks:
            named = [b for b in leaves if matches(pattern, b)]
            if not named:
                _refuse(policy, pattern, blocks)
            formats.update({b.module_path: _own(filled(rule, policy.base), b) for b in named})
    return formats


def _own(fmt: BlockFormat, block: Block) -> BlockFormat:
    """A block without weights stores none."""
    return fmt if block.parameters else fmt.model_copy(update={"storage": carrier(fmt.compute)})


def _refuse(policy: Policy, pattern: str, blocks: Sequence[Block]) -> None:
    """Say what a pattern would have to match.

    Raises:
        InputError: always.
    """
    if other := next((b for b in blocks if matches(pattern, b)), None):
        said = (
            "name its leaves" if other.kind == "composite" else "a step runs in the format of what it is given: set the interface of the block before"
        )
        raise InputError(f"policy {policy.name}: {pattern!r} is a {other.kind} block; {said}")
    roles = sorted({b.role for b in blocks if b.kind == "leaf"})
    raise InputError(f"policy {policy.name}: no block of this model matches {pattern!r}; `mpcheck blocks` lists them; roles: {', '.join(roles)}")


def changed(formats: Mapping[str, BlockFormat], policy: Policy) -> dict[str, BlockFormat]:
    """Those blocks that run otherwise than the base says."""
    return {name: fmt for name, fmt in formats.items() if fmt != policy.default()}
