"""A MACE architecture as a YAML document, and the model built from it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols
from pydantic import Field, field_validator, model_validator

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict
from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet

GATES = {"silu": torch.nn.functional.silu, "tanh": torch.tanh, "abs": torch.abs, "none": None}

MOST_IRREPS, WIDEST, HIGHEST = 64, 4096, 8
"""Of an irreps string. The largest published model has 512 channels; a linear map of 4096 takes 134 MB."""


class Architecture(Strict):
    """Constructor arguments of upstream's models, by upstream's names; energies in eV, lengths in Å.

    ``weights_seed`` draws the weights of a recipe; a model with trained weights leaves it out. With ``heads``, ``atomic_energies``,
    ``atomic_inter_scale`` and ``atomic_inter_shift`` are those of every head, or given for each by its name.
    """

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    model: Literal["MACE", "ScaleShiftMACE"] = "ScaleShiftMACE"
    elements: Annotated[list[str], Field(min_length=1)]
    atomic_energies: dict[str, float] | dict[str, dict[str, float]]
    r_max: Annotated[float, Field(gt=0, le=30)]
    num_bessel: Annotated[int, Field(ge=1, le=256)] = 8
    num_polynomial_cutoff: Annotated[int, Field(ge=1, le=64)] = 5
    max_ell: Annotated[int, Field(ge=0, le=6)] = 3
    hidden_irreps: str
    MLP_irreps: str = "16x0e"
    correlation: Annotated[int, Field(ge=1, le=4)] = 3
    num_interactions: Annotated[int, Field(ge=1, le=6)] = 2
    interaction_cls: str = "RealAgnosticResidualInteractionBlock"
    interaction_cls_first: str = "RealAgnosticResidualInteractionBlock"
    radial_type: Literal["bessel", "gaussian", "chebyshev"] = "bessel"
    radial_MLP: Annotated[list[Annotated[int, Field(ge=1, le=8192)]], Field(max_length=32)] = [64, 64, 64]
    distance_transform: Literal["None", "Agnesi", "Soft"] = "None"
    gate: Literal["silu", "tanh", "abs", "none"] = "silu"
    avg_num_neighbors: Annotated[float, Field(gt=0)]
    atomic_inter_scale: float | dict[str, float] = 1.0
    atomic_inter_shift: float | dict[str, float] = 0.0
    pair_repulsion: bool = False
    use_agnostic_product: bool = False
    use_last_readout_only: bool = False
    apply_cutoff: bool = True
    heads: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=200)] | None = None
    weights_seed: int | None = None

    @field_validator("elements")
    @classmethod
    def _known_elements(cls, value: list[str]) -> list[str]:
        unknown = [s for s in value if s not in chemical_symbols[1:]]
        if unknown or len(set(value)) != len(value):
            raise ValueError(f"elements must be distinct chemical symbols, found {unknown or value}")
        return sorted(value, key=lambda s: atomic_numbers[s])

    @field_validator("hidden_irreps", "MLP_irreps")
    @classmethod
    def _irreps(cls, value: str) -> str:
        try:
            irreps = o3.Irreps(value)
        except Exception as error:
            raise ValueError(f"{value[:80]!r} is not an irreps string such as 16x0e + 16x1o") from error
        if len(irreps) > MOST_IRREPS or any(part.mul > WIDEST or part.ir.l > HIGHEST for part in irreps):
            raise ValueError(f"{value[:80]!r} has more than {MOST_IRREPS} parts, {WIDEST} channels of one, or l above {HIGHEST}: too large to build")
        if irreps.count(o3.Irrep(0, 1)) == 0:
            raise ValueError(f"{value!r} has no scalars (0e)")
        return value

    @field_validator("interaction_cls", "interaction_cls_first")
    @classmethod
    def _interaction(cls, value: str) -> str:
        if value not in mace.modules.interaction_classes:
            raise ValueError(f"unknown interaction; upstream has {', '.join(sorted(mace.modules.interaction_classes))}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Architecture:
        if self.heads is not None and len(set(self.heads)) < len(self.heads):
            raise ValueError(f"heads must be distinct, found {self.heads}")
        for name in ("atomic_energies", "atomic_inter_scale", "atomic_inter_shift"):
            given = _given_by_head(name, getattr(self, name))
            if given is not None and set(given) != set(self.heads or ()):
                raise ValueError(f"{name} is given for heads {sorted(given)}, and the model's are {self.heads or 'none'}")
        for head, energies in self.by_head("atomic_energies").items():
            missing = [s for s in self.elements if s not in energies]
            extra = [s for s in energies if s not in self.elements]
            if missing or extra:
                where = f" of head {head}" if self.heads else ""
                raise ValueError(f"atomic_energies{where} must name the model's elements: missing {missing}, extra {extra}")
        if self.use_last_readout_only and self.num_interactions == 1:
            raise ValueError("use_last_readout_only leaves no readout where num_interactions is 1: the energy would be that of isolated atoms")
        return self

    def by_head(self, name: str) -> dict[str, Any]:
        """``atomic_energies``, ``atomic_inter_scale`` or ``atomic_inter_shift`` of every head, in their order."""
        value = getattr(self, name)
        given = _given_by_head(name, value)
        return {head: value if given is None else given[head] for head in self.heads or ["Default"]}

    def canonical(self) -> str:
        """The architecture as canonical JSON, for content hashes."""
        return json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))


def _given_by_head(name: str, value: Any) -> dict[str, Any] | None:
    """What is given for each head; None of what all share. Energies are a mapping themselves, by element."""
    apart = any(isinstance(v, dict) for v in value.values()) if name == "atomic_energies" else isinstance(value, dict)
    return value if apart else None


def constructor_arguments(arch: Architecture) -> dict[str, Any]:
    """What upstream's constructor of ``arch.model`` is called with."""
    left_out = {"schema_version", "name", "model", "elements", "weights_seed"}
    if arch.model != "ScaleShiftMACE":
        left_out |= {"atomic_inter_scale", "atomic_inter_shift"}
    numbers = [atomic_numbers[s] for s in arch.elements]
    energies = [[own[s] for s in arch.elements] for own in arch.by_head("atomic_energies").values()]
    return {
        **arch.model_dump(exclude=left_out),
        **{name: _of_heads(list(arch.by_head(name).values())) for name in ("atomic_inter_scale", "atomic_inter_shift") if name not in left_out},
        "interaction_cls": mace.modules.interaction_classes[arch.interaction_cls],
        "interaction_cls_first": mace.modules.interaction_classes[arch.interaction_cls_first],
        "num_elements": len(numbers),
        "atomic_numbers": numbers,
        "atomic_energies": np.array(_of_heads(energies)),
        "hidden_irreps": o3.Irreps(arch.hidden_irreps),
        "MLP_irreps": o3.Irreps(arch.MLP_irreps),
        "gate": GATES[arch.gate],
    }


def _of_heads(values: list[Any]) -> Any:
    """Upstream indexes what is a list by the head; of a model of one head it takes, and keeps, the value itself."""
    return values[0] if len(values) == 1 else values


def build_model(arch: Architecture) -> torch.nn.Module:
    """The e3nn model of an architecture, in float64 on the CPU, with weights drawn from ``weights_seed`` (0 if none).

    Built under a float64 default dtype, because Clebsch-Gordan tables made under float32 keep its rounding.

    Raises:
        InputError: upstream's constructor refuses the combination.
    """
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float64), quiet():
        torch.manual_seed(arch.weights_seed or 0)
        try:
            model: torch.nn.Module = getattr(mace.modules, arch.model)(**constructor_arguments(arch))
        except Exception as error:  # upstream asserts, or fails deep inside e3nn, on combinations it does not support
            raise InputError(f"architecture {arch.name}: upstream cannot build it: {type(error).__name__}: {error}") from error
    return model.eval()
