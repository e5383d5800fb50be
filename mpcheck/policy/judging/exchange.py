"""Structures and evaluations as named tensors, so that one process can hand them to another without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck.policy.evaluation import Evaluation
from mpcheck.systems.inputs import values_of


def frames_out(frames: Sequence[Atoms]) -> tuple[dict[str, torch.Tensor], list[dict[str, str]]]:
    """Tensors of structures, and of each the further inputs that are words."""
    tensors: dict[str, torch.Tensor] = {}
    words: list[dict[str, str]] = []
    for n, frame in enumerate(frames):
        arrays: dict[str, Any] = {
            "numbers": np.asarray(frame.numbers, np.int64), "positions": np.asarray(frame.positions, np.float64),
            "cell": np.asarray(frame.cell.array, np.float64), "pbc": np.asarray(frame.pbc, np.uint8),
        }  # fmt: skip
        said = {}
        for name, value in values_of(frame).items():
            if isinstance(value, str):
                said[name] = value
            else:
                arrays[f"{'atom' if name in frame.arrays else 'info'}:{name}"] = np.asarray(value, np.float64)
        words.append(said)
        tensors |= {f"{n}:{name}": torch.from_numpy(np.array(a, order="C")) for name, a in arrays.items()}
    return tensors, words


def frames_in(tensors: Mapping[str, torch.Tensor], words: Sequence[Mapping[str, str]]) -> list[Atoms]:
    """The inverse of :func:`frames_out`.

    Raises:
        InputError: a structure is not complete.
    """
    frames = []
    for n, said in enumerate(words):
        own = {name.partition(":")[2]: t.numpy() for name, t in tensors.items() if name.startswith(f"{n}:")}
        if lacking := {"numbers", "positions", "cell", "pbc"} - set(own):
            raise InputError(f"structure {n} of the exchange lacks {', '.join(sorted(lacking))}; start the command again")
        frame = Atoms(own["numbers"], own["positions"], cell=own["cell"], pbc=own["pbc"].astype(bool))
        for key, value in own.items():
            place, _, name = key.partition(":")
            if place == "atom":
                frame.arrays[name] = value
            elif place == "info":
                frame.info[name] = value if value.ndim else float(value)
        frame.info.update(said)
        frames.append(frame)
    return frames


def evaluation_out(evaluation: Evaluation) -> dict[str, torch.Tensor]:
    """Tensors of an evaluation."""
    nodes = {} if evaluation.nodes is None else {"nodes": evaluation.nodes}
    return {**evaluation.values(), "batch": evaluation.batch, **nodes}


def evaluation_in(tensors: Mapping[str, torch.Tensor]) -> Evaluation:
    """The inverse of :func:`evaluation_out`."""
    return Evaluation(**{n: tensors[n] for n in ("energy", "interaction", "forces", "stress", "batch")}, nodes=tensors.get("nodes"))
