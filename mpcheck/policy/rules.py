"""A policy as data: which format each block of a whole model is stored, computed, accumulated and handed on in.

The four words are upstream's own for this (ACEsuit/mace, issue 1566: storage, compute, accumulate, interface).
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck._text import near
from mpcheck.formats import F32, NARROW, TF32_NAME, Autocast, Compute, Interface, Storage

_BUILTIN = resources.files("mpcheck") / "data" / "policies.yaml"


class BlockFormat(Strict):
    """What a block runs in.

    Attributes:
        storage: of its weights. compute: of its operations, and what its inputs are cast to. accumulate: of its sums. interface: of what it
            returns.
    """

    storage: Storage
    compute: Compute
    accumulate: Compute
    interface: Interface

    @property
    def words(self) -> str:
        """``float32``, or with what its weights are stored in before and its results are handed on in behind it: ``int8 / float16 → float32``.

        Sums are told where they are kept in something else than kernels keep them in.
        """
        stored = "" if self.storage == carrier(self.compute) else f"{self.storage} / "
        added = "" if self.accumulate == usual_sums(self.compute) else f", sums in {self.accumulate}"
        handed = "" if self.interface == carrier(self.compute) else f" → {self.interface}"
        return f"{stored}{self.compute}{added}{handed}"


def carrier(compute: Compute) -> Interface:
    """The type of tensors that hold what is computed: tf32 is computed from float32's."""
    return F32 if compute == TF32_NAME else compute


def usual_sums(compute: Compute) -> Compute:
    """What kernels keep the sums of a type in."""
    return F32 if compute in NARROW else compute


class Rule(Strict):
    """What some blocks run in; what is left out follows from ``compute``, and that from the policy's base.

    Attributes:
        blocks: leaves by glob pattern of their names (``mpcheck blocks`` lists them), or ``role:`` and one of their roles
            (``role:linear``, ``role:radial MLP``).
    """

    blocks: list[str] = Field(min_length=1)
    storage: Storage | None = None
    compute: Compute | None = None
    accumulate: Compute | None = None
    interface: Interface | None = None


class Policy(Strict):
    """Formats of a whole model.

    Attributes:
        base: of everything that no rule names, of coordinates and of what lies between the blocks.
        energies: ``apart``: energies of isolated atoms and the total are summed in float64, from the model's own table, taken before any cast;
            ``together``: as upstream does it, in the base format.
        autocast: products of matrices in this type by ``torch.autocast``, without a cast of the model; empty for none.
        rules: of blocks; where several name one, the last holds.
    """

    name: str
    title: str = ""
    base: Compute = F32
    energies: Literal["apart", "together"] = "apart"
    autocast: Autocast = ""
    rules: list[Rule] = []

    @model_validator(mode="after")
    def _possible(self) -> Policy:
        if self.autocast and (self.base != F32 or self.rules):
            raise ValueError("autocast decides by itself what is cast: give it base float32 and no rules")
        return self

    def default(self) -> BlockFormat:
        """Of blocks that no rule names."""
        return filled(Rule(blocks=["*"]), self.base)


def filled(rule: Rule, base: Compute) -> BlockFormat:
    """A rule with what it leaves out: weights in the type that is computed in, sums of 16-bit numbers in float32 as kernels keep them,
    results in the base's type.
    """
    compute = rule.compute or base
    storage = rule.storage or carrier(compute)
    accumulate = rule.accumulate or usual_sums(compute)
    return BlockFormat(storage=storage, compute=compute, accumulate=accumulate, interface=rule.interface or carrier(base))


class _Builtin(Strict):
    """The file of built-in policies."""

    policies: list[Policy]


def builtin() -> dict[str, Policy]:
    """Built-in policies by name, the most exact first."""
    return {p.name: p for p in load_yaml(_Builtin, Path(str(_BUILTIN)), "built-in policies").policies}


def get_policy(name: str) -> Policy:
    """A built-in policy, or one in a YAML file.

    Raises:
        InputError: unknown name, missing file, wrong schema.
    """
    if name.endswith((".yaml", ".yml")):
        return load_yaml(Policy, Path(name), "policy file")
    known = builtin()
    if name not in known:
        raise InputError(f"unknown policy {name!r}{near(name, known)}; choose from {', '.join(known)}, or give a YAML file")
    return known[name]
