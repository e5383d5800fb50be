"""Sensitivities in the cache of references: made once for a model, its structures, a backend, and the code that makes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from mpcheck._files.io import digest
from mpcheck.policy.noise.calls import Calls, Response
from mpcheck.policy.noise.sensitivity import Sensitivity, sensitivity
from mpcheck.policy.noise.subjects import Subject
from mpcheck.reference.packages import content
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.store import Store

ENTRY = "sensitivities"
_FIELDS = ("noise", "emulated", "known")
_APART = "\t"  # in no name of a block


def kept(calls: Calls, spec: ReferenceSpec, backend: str, root: Path, progress: Callable[[str], None] = lambda _: None) -> Sensitivity:
    """Sensitivities of a backend's model, from the cache or made now.

    Args:
        calls: of the model on the structures. spec: of the model and these structures; another code's is not taken, for what a model is predicted to
            do is its own code's word. root: of the cache.

    Raises:
        InputError: the cache cannot be used. BaseException: whatever the model raises.
    """
    own = dataclasses.replace(spec, pinned=False)
    store = Store(root, digest(own.key, backend, _own_content())[:24], own.code)

    def build() -> None:
        made = sensitivity(calls, own.seed, progress)
        tensors, manifest = flattened(made)
        store.save(ENTRY, tensors, {**manifest, "by": list(own.by)})

    return restored(*store.fetch(ENTRY, build))


def _own_content() -> str:
    """Of this room, whose code makes them, and of what emulates formats."""
    room = Path(__file__).parents[1]
    return digest(content(room), content(room.parent / "judge/emulate.py"))


def flattened(made: Sensitivity) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """As tensors by name, and what JSON holds."""
    tensors = {f"values{_APART}{n}": t for n, t in made.values.items()} | {"batch": made.batch, "elements": made.elements}
    for field in _FIELDS:
        responses: Mapping[tuple[str, str], Response] = getattr(made, field)
        tensors |= {_APART.join((field, *key, n)): t for key, response in responses.items() for n, t in response.items()}
    subjects = [dataclasses.asdict(s) for s in made.subjects.values()]
    return tensors, {"subjects": subjects, "summed": made.summed, "calls": made.calls}


def restored(tensors: Mapping[str, torch.Tensor], manifest: Mapping[str, Any]) -> Sensitivity:
    """The inverse of :func:`flattened`."""
    values: Response = {}
    found: dict[str, dict[Any, Response]] = {field: {} for field in _FIELDS}
    for key, tensor in tensors.items():
        field, *rest = key.split(_APART)
        if field == "values":
            values[rest[0]] = tensor
        elif field in found:
            found[field].setdefault((rest[0], rest[1]), {})[rest[2]] = tensor
    subjects = {s["name"]: Subject(**{**s, "parts": tuple(s["parts"])}) for s in manifest["subjects"]}
    return Sensitivity(
        subjects, values, tensors["batch"], tensors["elements"], **found, summed=bool(manifest["summed"]), calls=int(manifest["calls"])
    )
