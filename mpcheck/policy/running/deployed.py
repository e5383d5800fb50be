"""A model with its policy as a file, what it was measured to err by beside it, and MACE's calculator around it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path, is_there, read_text, sha256_file, write_text
from mpcheck._files.stored import Model, now
from mpcheck._files.yaml import Strict
from mpcheck.adapters import calculator as upstream
from mpcheck.adapters.stored.unpickling import unpickled
from mpcheck.policy.rules import Policy
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.policy.running.devices import present

BESIDE = ".policy.json"


class Deployed(Strict):
    """What lies beside a model with a policy.

    Attributes:
        sha256: of the model's file. model: that it was made of. backend: that computes it. system: on which the errors were measured.
        errors: figures with their units in their names; empty where nothing was measured.
        versions: of the packages that it was made with.
    """

    kind: Literal["mpcheck model with a policy"] = "mpcheck model with a policy"
    schema_version: Literal[1] = 1
    date: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    model: Model
    backend: str
    policy: Policy
    notes: list[str] = []
    system: str = ""
    errors: dict[str, float | int | str | None] = {}
    versions: dict[str, str] = {}


def save(
    made: PolicyModel, path: Path, *, model: Model, backend: str, system: str = "", errors: dict[str, Any] | None = None, versions: dict[str, str]
) -> Deployed:
    """Write a model with its policy, and what is known of it beside it.

    Raises:
        InputError: it cannot be written.
    """
    document = Deployed(
        date=now(), sha256="0" * 64, model=model, backend=backend, policy=made.policy, notes=list(made.notes), system=system,
        errors=errors or {}, versions=versions,
    )  # fmt: skip
    with atomic_path(path) as draft:
        torch.save({"model": made, "tensors": dict(tensors_of(made)), "about": told_inside(document)}, draft)
    document = document.model_copy(update={"sha256": sha256_file(path, "model")})
    write_text(beside(path), document.model_dump_json(indent=2) + "\n")
    return document


def tensors_of(made: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers by name. They are stored a second time, by reference: cuEquivariance's graphs pickle the constants that they were
    built with, not those that they were cast to.
    """
    yield from ((name, p.data) for name, p in made.named_parameters())
    yield from made.named_buffers()


def _restore(made: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        path, _, leaf = name.rpartition(".")
        owner = made.get_submodule(path)
        if isinstance(owner, torch.jit.ScriptModule):
            continue  # holds what it held
        if leaf in owner._parameters:
            owner.get_parameter(leaf).data = tensor
        elif leaf in owner._buffers:
            owner._buffers[leaf] = tensor


def told_inside(document: Deployed) -> dict[str, Any]:
    """What the model's own file repeats of what lies beside it, so that neither can be changed without the other."""
    told: dict[str, Any] = json.loads(document.model_dump_json(exclude={"sha256"}))
    return told


def beside(path: Path) -> Path:
    """Where the policy of a model's file is told."""
    return path.with_name(path.name + BESIDE)


def about(path: Path) -> Deployed:
    """What lies beside a model with a policy, checked against it.

    Raises:
        InputError: missing, of another schema, or of another file.
    """
    where = beside(path)
    if not is_there(path):
        raise InputError(f"model {path} does not exist; `mpcheck apply MODEL --policy P -o {path}` writes it")
    if not is_there(where):
        raise InputError(f"{where} is missing, which tells the policy of {path}; write both again with `mpcheck apply`")
    try:
        document = Deployed.model_validate_json(read_text(where, "policy file"))
    except ValueError as error:
        first = str(error).splitlines()
        raise InputError(f"policy {where}: {' '.join(first[1:3]).strip() or first[0]}; write it again with `mpcheck apply`") from error
    if document.sha256 != sha256_file(path, "model"):
        raise InputError(f"model {path} is not the file that {where} tells of (its sha256 differs); write both again with `mpcheck apply`")
    return document


def load(path: str | Path, device: str | torch.device = "cpu") -> PolicyModel:
    """A model with its policy, from a file that ``mpcheck apply`` wrote. It is a pickle: load none that you do not trust.

    Raises:
        InputError: missing, damaged, or not what lies beside it says.
    """
    path, where = Path(path), present(device)
    document = about(path)
    held = unpickled(path)
    found = held.get("model") if isinstance(held, dict) else None
    if not isinstance(held, dict) or not isinstance(found, PolicyModel):
        raise InputError(f"model {path} has no policy; `mpcheck apply {path} --policy P -o OUT` makes one that has")
    _restore(found, held.get("tensors", {}))
    if found.policy != document.policy:
        raise InputError(f"model {path} has policy {found.policy.name}, not the {document.policy.name} that {beside(path)} tells; write both again")
    if (told := told_inside(document)) != held.get("about"):
        before = held.get("about")
        field = next((n for n, v in told.items() if not isinstance(before, dict) or before.get(n) != v), "")
        raise InputError(f"policy {beside(path)}: field {field} is not as `mpcheck apply` wrote it; write it again with `mpcheck apply`")
    return found.to(where)


def calculator(path: str | Path, device: str = "cpu", **options: Any) -> Any:
    """MACE's own ASE calculator around a model with a policy.

    Args:
        path: of a file that ``mpcheck apply`` wrote. options: of upstream's constructor, such as ``head``.

    Raises:
        InputError: see :func:`load`; ``default_dtype`` other than the policy's own.
    """
    where = present(device)
    model = load(path, where)
    own = str(model.inputs.dtype).removeprefix("torch.")
    if (wanted := options.pop("default_dtype", own)) not in (own, ""):
        raise InputError(f"default_dtype={wanted!r}: {path} runs by its policy {model.policy.name}; leave it out, or give {own!r}")
    kind = upstream.model_type_of(model.model)
    return upstream.calculator([model], device=where, model_type=kind, default_dtype=own, **options)
