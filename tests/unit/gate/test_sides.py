"""A gate that would measure the same code twice is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.environments import Side
from mpcheck.gate.sides import Sides, refuse_the_same
from mpcheck.gate.trees import Tree


def sides(repository: Path, base: str, head: str, name: str = "pkg") -> Sides:
    tree = Tree("head", "", repository, repository)
    made = Sides(Side(tree, repository), Side(tree, repository), repository)
    made.sources = {s: {name: {"path": p, "version": "1", "digest": "d"}} for s, p in (("base", base), ("head", head))}
    return made


def test_the_same_code_twice_is_refused(repository: Path) -> None:
    refuse_the_same(sides(repository, "/a", "/b"))
    with pytest.raises(InputError, match="base and head both import pkg from /a, which is neither's own tree; set `install`"):
        refuse_the_same(sides(repository, "/a", "/a"))
    with pytest.raises(InputError, match=r"import the very same files \(mace from /a\).* or no base"):
        refuse_the_same(sides(repository, "/a", "/a", "mace"))
