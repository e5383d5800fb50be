"""A file of recorded calls (``.capture``): graphs as somebody's own script gave them to a model, in one safetensors file with a JSON header.

Neighbour lists, shifts and numbers are those of the script, in the types that it gave. Nothing of such a file is believed before it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, StringConstraints
from safetensors import SafetensorError, safe_open

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, DocumentKind, parse
from mpcheck._files.io import opened, refuse_irregular
from mpcheck._files.yaml import Strict

SUFFIX, HEADER, SCHEMA = ".capture", "mpcheck.capture", 1
MOST_BYTES = 8 << 30
"""Of a file that is read."""
REMEDY = "record it again with mpcheck.capture"
NUMBERS = "atomic_numbers"
NEEDED = (NUMBERS, "positions", "edge_index", "shifts", "batch", "ptr")
Name = Annotated[str, StringConstraints(max_length=200)]
Count = Annotated[int, Field(ge=0)]


class BlockInput(Strict):
    """One floating-point argument of a block, as it was given: its type, and figures that no order of rows or components changes.

    Attributes:
        rms, largest: root mean square and largest absolute value; None where they are no finite numbers.
    """

    block: Name
    argument: Name
    dtype: Name
    numbers: Count
    rms: float | None
    largest: float | None


class Call(Strict):
    """One recorded call.

    Attributes:
        step: which call of the model it was, from 0. structures, atoms, edges: in its batch.
        flags: what was asked for besides, ``compute_stress`` say. inputs: of the model's blocks, the first call of each.
    """

    step: Count
    structures: Annotated[int, Field(ge=1)]
    atoms: Annotated[int, Field(ge=1)]
    edges: Count
    flags: dict[Name, bool] = {}
    inputs: list[BlockInput] = []


class RecordedModel(Strict):
    """The model that was recorded.

    Attributes:
        kind: its class. sha256: of its parameters and buffers as they were. by: packages whose modules it is made of.
        r_max: cut-off in Å. dtype, device: of its parameters.
    """

    kind: Name
    sha256: Name
    elements: list[Name]
    heads: list[Name]
    r_max: float
    dtype: Name
    device: Name
    by: list[Name] = []


class Header(Strict):
    """What a file of recorded calls says of itself.

    Attributes:
        seen: calls that the model had; calls: those that are stored. ended: why no more were stored, empty where nothing stood in the way.
    """

    schema_version: int
    mpcheck: Name
    packages: dict[Name, Name]
    date: Name
    model: RecordedModel
    every: Annotated[int, Field(ge=1)]
    seen: Count
    ended: str = ""
    calls: list[Call]


KIND = DocumentKind(Header, "header of", SCHEMA, REMEDY)


class RecordedFile:
    """An open file of recorded calls; tensors are read a call at a time."""

    def __init__(self, path: Path) -> None:
        """Args:
            path: of the file.

        Raises:
            InputError: no regular file, too large, truncated, none of ours, another schema version, a wrong field.
        """
        self.path, self.where = path, f"system file {path}"
        refuse_irregular(path, "system file")
        with opened(path, "system file") as stream:
            if (size := stream.seek(0, 2)) > MOST_BYTES:
                raise InputError(f"{self.where}: {size >> 30} GiB, {MOST_BYTES >> 30} at most; record fewer calls (limit=)")
        text = self._read(lambda file: file.metadata() or {}).get(HEADER)
        if text is None:
            raise InputError(f"{self.where} holds no recorded calls (no entry {HEADER} in its header): this is another kind of file; {REMEDY}")
        try:
            self.header: Header = KIND.check(parse(text), self.where)
        except BrokenError as error:
            raise InputError(f"{self.where}: its header: {error}; {REMEDY}") from error
        if not self.header.calls:
            raise InputError(f"{self.where}: no calls in it; {REMEDY}")

    def _read(self, what: Any) -> Any:
        try:
            with safe_open(self.path, framework="pt") as file:
                return what(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{self.where} is damaged, truncated, or no safetensors file ({error}); {REMEDY}") from error

    def call(self, number: int) -> dict[str, torch.Tensor]:
        """The tensors of a call, as they were given, checked to be a graph.

        Raises:
            InputError: damaged, or no graph.
        """
        prefix = f"{number}."
        found = self._read(lambda file: {n.removeprefix(prefix): file.get_tensor(n) for n in file.keys() if n.startswith(prefix)})  # noqa: SIM118
        if wrong := _wrong(found, self.header.calls[number].structures):
            raise InputError(f"{self.where} call {number}: {wrong}; {REMEDY}")
        return dict(found)


def _wrong(graph: Mapping[str, torch.Tensor], structures: int) -> str:
    """Why tensors are no graph, in words; empty where they are one."""
    for name in NEEDED:
        if name not in graph:
            return f"no tensor {name}"
    atoms, edges = len(graph["batch"]) if graph["batch"].dim() else 0, graph["edge_index"].shape[-1] if graph["edge_index"].dim() else 0
    shapes: dict[str, tuple[int, ...]] = {
        NUMBERS: (atoms,), "positions": (atoms, 3), "batch": (atoms,), "edge_index": (2, edges), "shifts": (edges, 3), "unit_shifts": (edges, 3),
        "cell": (3 * structures, 3), "ptr": (structures + 1,), "head": (structures,), "pbc": (structures, 3),
    }  # fmt: skip
    for name, shape in shapes.items():
        if name in graph and tuple(graph[name].shape) != shape:
            return f"{name} is of shape {list(graph[name].shape)}, {list(shape)} expected"
    for name in (NUMBERS, "batch", "edge_index", "ptr", *(["head"] if "head" in graph else [])):
        if graph[name].is_floating_point() or graph[name].is_complex():
            return f"{name} is of {graph[name].dtype}, whole numbers expected"
    index, batch, ptr = graph["edge_index"], graph["batch"], graph["ptr"]
    if atoms == 0:
        return "no atoms"
    if edges and (int(index.min()) < 0 or int(index.max()) >= atoms):
        return f"edge_index names atoms beyond the {atoms} that are there"
    counts = torch.bincount(batch.clamp(0, structures - 1), minlength=structures)
    if not torch.equal(ptr.long(), torch.cat([counts.new_zeros(1), counts.cumsum(0)])) or bool((batch.diff() < 0).any()) or int(batch.min()) < 0:
        return "batch and ptr do not fit together"
    if edges and bool((batch[index[0]] != batch[index[1]]).any()):
        return "edges lead from one structure to another"
    return ""
