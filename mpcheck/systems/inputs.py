"""What a model takes of a structure besides its atoms and cell: head, charge, spin, a field, and whatever its embedding takes.

Structures bring them under upstream's names or the common ones; they are read once, checked, and kept under upstream's. What a structure
lacks, and what a model cannot use, is said in a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._text import listed

HEAD, FIELD = "head", "external_field"
SYNONYMS: dict[str, tuple[str, ...]] = {
    "total_charge": ("total_charge", "charge", "net_charge", "tot_charge", "REF_total_charge"),
    "total_spin": ("total_spin", "spin", "spin_multiplicity", "multiplicity", "REF_total_spin"),
    "external_field": ("external_field", "electric_field", "efield", "REF_external_field"),
    "elec_temp": ("elec_temp", "electronic_temperature"),
    "charges": ("REF_charges", "charges", "Qs", "initial_charges"),
}
"""Names in files, upstream's first: of its key specification, of its calculator, and what others write; large letters or small."""
PER_ATOM = ("charges",)


@dataclass(frozen=True)
class ModelInput:
    """One thing that a model takes.

    Attributes:
        name: upstream's, as in a graph. keys: other names that the model itself gives it in files.
        per_atom: one number to each atom, else one to a structure; width: 3 of a vector, which turns with the structure.
        default: what stands for it where a structure has none; stated: whether upstream states it.
        least, most: of a number of a class; None where any number will do.
    """

    name: str
    keys: tuple[str, ...] = ()
    per_atom: bool = False
    width: int = 1
    default: float = 0.0
    stated: bool = False
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Taken:
    """Frames with nothing but what reaches the model, under upstream's names, and notes for people."""

    frames: tuple[Atoms, ...]
    notes: tuple[str, ...] = ()


def take_inputs(frames: Sequence[Atoms], takes: Sequence[ModelInput], heads: Sequence[str], where: str) -> Taken:
    """Read what a model takes.

    Frames without a head go through the model's heads in turn, so that a batch mixes them.

    Raises:
        InputError: two names with different values, a value that is none or of no class, a head that the model lacks.
    """
    bare = tuple(Atoms(f.numbers, f.positions, cell=f.cell, pbc=f.pbc) for f in frames)
    notes = []
    for entry in takes:
        found: dict[str, int] = {}
        for index, (frame, made) in enumerate(zip(frames, bare, strict=True)):
            place = f"{where} frame {index}" if len(frames) > 1 else where
            key, value = _read(frame, entry, place)
            if key:
                found[key] = found.get(key, 0) + 1
                (made.arrays if entry.per_atom else made.info)[entry.name] = value
        notes.append(_told(entry, found, len(frames)))
    notes += _unused(frames, takes)
    return Taken(bare, (*notes, *_heads(frames, bare, heads, where)))


def _keys(name: str, more: Sequence[str] = ()) -> list[str]:
    return list(dict.fromkeys([*more, name, *SYNONYMS.get(name, ())]))


def _held(frame: Atoms, keys: Sequence[str], per_atom: bool) -> dict[str, Any]:
    """By name: ASE puts columns and properties that it knows into a calculator's results."""
    results = getattr(frame.calc, "results", None) or {}
    held: dict[str, Any] = {}
    for place in (frame.arrays if per_atom else frame.info, results):
        written: dict[str, list[str]] = {}
        for name in place:
            written.setdefault(str(name).lower(), []).append(name)
        for key in dict.fromkeys(k.lower() for k in keys):
            held |= {name: place[name] for name in written.get(key, ()) if name not in held}
    return held


def _read(frame: Atoms, entry: ModelInput, where: str) -> tuple[str, Any]:
    """The name that a frame has it under, and its value; empty where it has none."""
    held = {k: _number(v, entry, f"{where}: {k}", len(frame)) for k, v in _held(frame, _keys(entry.name, entry.keys), entry.per_atom).items()}
    if not held:
        return "", None
    key, value = next(iter(held.items()))
    for other, more in held.items():
        if not np.array_equal(value, more):
            raise InputError(f"{where}: {key} and {other} differ, and both are the model's {entry.name}; keep one of them")
    return key, value


def _number(value: Any, entry: ModelInput, what: str, atoms: int) -> Any:
    shape = (atoms,) * entry.per_atom + ((entry.width,) if entry.width > 1 else ())
    try:
        numbers = np.asarray(value).astype(float)
        numbers = numbers.reshape(shape) if numbers.size == int(np.prod(shape)) else numbers
    except (TypeError, ValueError):
        numbers = np.full((), np.nan)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        wanted = f"{entry.width} numbers" if entry.width > 1 else "one number"
        raise InputError(f"{what} is {str(value)[:40]!r} where {wanted}{' to each atom' if entry.per_atom else ''} belongs; fix the file")
    if entry.least is not None and entry.most is not None:
        off = (numbers != np.round(numbers)) | (numbers < entry.least) | (numbers > entry.most)
        if off.any():
            raise InputError(
                f"{what} is {float(numbers[off].flat[0]) if numbers.ndim else float(numbers):g}, which the model has no class for "
                f"(whole numbers from {entry.least} to {entry.most}); fix the file, or use another model"
            )
    return numbers if numbers.ndim else float(numbers)


def _told(entry: ModelInput, found: dict[str, int], frames: int) -> str:
    whose = "upstream's default" if entry.stated else "upstream has no default, so"
    stands = f"{whose} {entry.default:g}"
    here = sum(found.values())
    if not found:
        return f"{entry.name} is in no structure: {stands}"
    names = listed(list(found), 3)
    return f"{entry.name} is read from {names}" + ("" if here == frames else f" of {here} of {frames} structures; in the others {stands}")


def _unused(frames: Sequence[Atoms], takes: Sequence[ModelInput]) -> list[str]:
    """Known names that structures bring and the model does not take."""
    used = {key for entry in takes for key in _keys(entry.name, entry.keys)}
    notes = []
    for name in SYNONYMS:
        keys = [k for k in _keys(name) if k not in used]
        held = list(dict.fromkeys(k for frame in frames for k in _held(frame, keys, name in PER_ATOM)))
        if held:
            notes.append(f"{listed(held, 3)} of the structures does not reach the model, which takes no {name}")
    return notes


def _heads(frames: Sequence[Atoms], bare: Sequence[Atoms], heads: Sequence[str], where: str) -> list[str]:
    named = []
    for index, frame in enumerate(frames):
        told = {str(value): key for key, value in _held(frame, (HEAD,), False).items()}
        if len(told) > 1:
            raise InputError(f"{where} frame {index}: {listed(list(told.values()), 3)} differ, and are all its head; keep one of them")
        named.append(next(iter(told), None))
    if len(heads) < 2:
        strange = sorted({name for name in named if name is not None and name not in heads})
        return [f"head {listed(strange, 3)} of the structures does not reach the model, which has one head"] if strange else []
    for index, (name, made) in enumerate(zip(named, bare, strict=True)):
        if name is not None and name not in heads:
            raise InputError(f"{where} frame {index}: head {name[:40]!r} is none of the model's ({listed(list(heads), 8)}); fix the file")
        made.info[HEAD] = name if name is not None else heads[index % len(heads)]
    lacking = named.count(None)
    if lacking == 0:
        return ["head is read from the structures"]
    given = dict.fromkeys(f.info[HEAD] for f, name in zip(bare, named, strict=True) if name is None)
    who = "no structure: they go" if lacking == len(named) else f"{len(named) - lacking} of {len(named)} structures: the others go"
    return [f"head is in {who} {'through the heads in turn' if len(given) > 1 else f'to {listed(list(given), 1)}'}"]


def values_of(frame: Atoms) -> dict[str, Any]:
    """What :func:`take_inputs` left in a frame, by name."""
    arrays = {k: v for k, v in frame.arrays.items() if k not in ("numbers", "positions")}
    return dict(sorted({**frame.info, **arrays}.items()))


def with_inputs(made: Atoms, frame: Atoms, order: Any = None) -> Atoms:
    """A structure made of another one, with what that brings to the model; order: of its atoms."""
    made.info.update(frame.info)
    for name, value in values_of(frame).items():
        if name in frame.arrays:
            made.arrays[name] = np.array(value)[order] if order is not None else np.array(value)
    return made
