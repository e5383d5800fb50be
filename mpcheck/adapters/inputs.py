"""What a model takes besides atoms and cell, read from the model itself."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.systems.inputs import PER_ATOM, ModelInput

STATED = {"total_charge": 0.0, "total_spin": 1.0, "elec_temp": 0.0, "charges": 0.0, "external_field": 0.0}
"""What upstream's ``AtomicData.from_config`` puts where a structure has none."""
READ = {"AtomicDipolesMACE": ("charges",), "EnergyDipolesMACE": ("charges",), "AtomicDielectricMACE": ("total_charge",),
        "PolarMACE": ("total_charge", "total_spin", "external_field")}  # fmt: skip
"""Models whose forward reads them, by upstream's class, besides what an embedding takes."""
WIDTH = {"external_field": 3}


def model_inputs(module: torch.nn.Module) -> tuple[ModelInput, ...]:
    """The entries of upstream's ``embedding_specs``, then what the model's class reads."""
    specs: dict[str, dict[str, Any]] = getattr(module, "embedding_specs", None) or {}
    found = {name: _embedded(name, spec) for name, spec in specs.items()}
    for kind in type(module).__mro__:
        for name in READ.get(kind.__name__, ()):
            entry = ModelInput(name, per_atom=name in PER_ATOM, width=WIDTH.get(name, 1), default=STATED[name], stated=True)
            found.setdefault(name, entry)
    return tuple(found.values())


def _embedded(name: str, spec: dict[str, Any]) -> ModelInput:
    """Of a class the number plus its offset is an index, see upstream's ``GenericJointEmbedding``."""
    keys = (str(spec["key"]),) if spec.get("key") else ()
    default, least, most = STATED.get(name, 0.0), None, None
    if spec.get("type") == "categorical":
        least = -int(spec.get("offset", 0))
        most = least + int(spec["num_classes"]) - 1
        default = min(max(default, least), most)
    return ModelInput(name, keys, spec.get("per") == "atom", int(spec.get("in_dim", 1)), default, STATED.get(name) == default, least, most)
