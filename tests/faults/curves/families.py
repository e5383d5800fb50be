"""The families: what is wrong, where it can be, at which magnitudes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.replay import BACKWARD, FORWARD
from mpcheck.sessions.run import Session
from tests.faults.curves import changes, places
from tests.faults.patches import PATCHES

Planted = contextlib.AbstractContextManager[None]


@dataclass(frozen=True)
class Item:
    """One planting.

    Attributes:
        key: the cell in which it is planted. magnitude: relative, an angle in rad, or bits or terms left, as its family says.
        seed: chooses irreps, rows, elements, parameters.
    """

    family: str
    key: CellKey
    magnitude: float
    seed: int


@dataclass(frozen=True)
class Family:
    """One kind of fault.

    Attributes:
        plant: the fault as a context. fits: whether a cell can have it. grid: magnitudes in a format, mildest first.
    """

    plant: Callable[[Session, Item], Planted]
    fits: Callable[[Session, CellKey], bool]
    grid: Callable[[str], list[float]]


def relative(fmt: str) -> list[float]:
    """Half decades from a tenth of the format's roundoff to ten thousand times it, but no fault larger than twice the value."""
    u = get_format(fmt).u
    return [u * 10 ** (k / 2) for k in range(-2, 13) if u * 10 ** (k / 2) <= 2]


def bits_left(fmt: str) -> list[float]:
    """From two bits more than the format has to eight fewer."""
    own = round(-math.log2(get_format(fmt).u))
    return [float(b) for b in range(own + 2, max(0, own - 9), -1)]


def terms(fmt: str) -> list[float]:
    """Of a sum before it is rounded."""
    return [float(2**k) for k in range(9, -1, -1)]


def irreps_of(session: Session, key: CellKey) -> list[tuple[int, slice, int]]:
    """``(l, columns, channels)`` of each irrep of a block's first result; one entry of l = 0 where it has none."""
    block = places.block_of(session, key)
    slot = block.output_slot("out.0" if "out.0" in block.outputs else "out")
    if slot.form != "flat" or slot.irreps is None:
        return []
    found, start = [], 0
    for term in slot.irreps.split("+"):
        mul, _, irrep = term.partition("x")
        degree = int(irrep[:-1])
        width = int(mul) * (2 * degree + 1)
        found.append((degree, slice(start, start + width), int(mul)))
        start += width
    return found


def _module(session: Session, key: CellKey) -> bool:
    return places.module_of(session, key) is not None


def _trainable(session: Session, key: CellKey) -> bool:
    return places.block_of(session, key).parameters > 0


def _backward(session: Session, key: CellKey) -> bool:
    return key.direction == BACKWARD and _module(session, key)


def _columns(session: Session, item: Item) -> slice:
    irreps = irreps_of(session, item.key)
    return irreps[item.seed % len(irreps)][1] if irreps else slice(None)


def _irrep(session: Session, item: Item) -> Planted:
    where = _columns(session, item)
    return places.result(session, item.key, lambda x: changes.columns(x, where, item.magnitude))


def _turn(session: Session, item: Item) -> Planted:
    turning = [i for i in irreps_of(session, item.key) if i[0] > 0]
    degree, where, mul = turning[item.seed % len(turning)]
    place = torch.arange(where.start, where.stop)
    grid = place.reshape(mul, -1) if places.layout_of(session, item.key) == "mul_ir" else place.reshape(-1, mul).T
    one = item.seed % (2 * degree)
    return places.result(session, item.key, lambda x: changes.turned(x, grid[:, one], grid[:, one + 1], item.magnitude))


def _can_turn(session: Session, key: CellKey) -> bool:
    return any(degree > 0 for degree, _, _ in irreps_of(session, key))


def _cut(nearest: bool) -> Callable[[Session, Item], Planted]:
    def plant(session: Session, item: Item) -> Planted:
        def change(x: torch.Tensor) -> torch.Tensor:
            return changes.shortened(x, int(item.magnitude), nearest)

        return places.result(session, item.key, lambda x: changes.both_ways(x, change))

    return plant


def _of_result(change: Callable[[torch.Tensor, Item], torch.Tensor]) -> Callable[[Session, Item], Planted]:
    return lambda session, item: places.result(session, item.key, lambda x: change(x, item))


def _argument(session: Session, item: Item) -> Planted:
    def change(grad: torch.Tensor) -> torch.Tensor:
        half = max(1, grad.shape[-1] // 2)
        start = half * (item.seed % 2) if grad.shape[-1] > 1 else 0
        return changes.columns(grad, slice(start, start + half), item.magnitude)

    return places.argument_gradient(session, item.key, item.seed // 2, change)


def _eighth(t: torch.Tensor, seed: int, magnitude: float) -> torch.Tensor:
    flat = t.reshape(-1)
    width = max(1, flat.numel() // 8)
    start = (seed * width) % max(1, flat.numel())
    return changes.columns(flat, slice(start, start + width), magnitude).reshape(t.shape)


def _always(session: Session, key: CellKey) -> bool:
    return True


def _scatters(session: Session, key: CellKey) -> bool:
    return key.block.partition("@")[0].endswith(".scatter")


def _products(session: Session, key: CellKey) -> bool:
    block = places.block_of(session, key)
    return block.kind == "leaf" and (block.parameters > 0 or "product" in block.role or "contraction" in block.role)


def _sums(session: Session, key: CellKey) -> bool:
    return key.format in ("float32", "bfloat16", "float16") and key.backend == "e3nn" and _products(session, key)


def _has_tables(session: Session, key: CellKey) -> bool:
    module = places.module_of(session, key)
    return key.backend == "e3nn" and module is not None and bool(places.tables(module))


FAMILIES: dict[str, Family] = {
    "irrep scaled": Family(_irrep, _always, relative),
    "row scaled": Family(_of_result(lambda x, i: changes.row(x, i.seed, i.magnitude)), _always, relative),
    "element wrong": Family(_of_result(lambda x, i: changes.element(x, i.seed, i.magnitude)), _always, relative),
    "bias added": Family(_of_result(lambda x, i: changes.biased(x, i.magnitude)), lambda s, k: k.direction == FORWARD, relative),
    "coarse rounding": Family(_of_result(lambda x, i: changes.jittered(x, i.seed, i.magnitude)), _always, relative),
    "truncated": Family(_cut(nearest=False), _always, bits_left),
    "rounded twice": Family(_cut(nearest=True), _always, bits_left),
    "components turned": Family(_turn, _can_turn, relative),
    "neighbour weighted": Family(lambda _, i: places.neighbour(i.magnitude, i.seed), _scatters, relative),
    "weight wrong": Family(
        lambda s, i: places.stored(s, i.key, True, i.seed, lambda t: changes.element(t, i.seed, i.magnitude)), _trainable, relative),
    "weights wrong": Family(
        lambda s, i: places.stored(s, i.key, True, i.seed, lambda t: _eighth(t, i.seed, i.magnitude)), _trainable, relative),
    "table wrong": Family(
        lambda s, i: places.stored(s, i.key, False, i.seed, lambda t: changes.element(t, i.seed, i.magnitude)), _has_tables, relative),
    "operands rounded": Family(lambda _, i: places.Operands(int(i.magnitude)), _products, bits_left),
    "partial sums rounded": Family(
        lambda s, i: PATCHES["partial_sums_rounded"](s, terms=int(i.magnitude), dtype=i.key.format), _sums, terms),
    "argument's gradient scaled": Family(_argument, _backward, relative),
    "weight gradient scaled": Family(
        lambda s, i: places.parameter_gradient(s, i.key, i.seed, lambda g: _eighth(g, i.seed, i.magnitude)),
        lambda s, k: k.direction == BACKWARD and _trainable(s, k), relative),
    "weight gradient's element wrong": Family(
        lambda s, i: places.parameter_gradient(s, i.key, i.seed, lambda g: changes.element(g, i.seed, i.magnitude)),
        lambda s, k: k.direction == BACKWARD and _trainable(s, k), relative),
}  # fmt: skip


def planted(session: Session, item: Item) -> Planted:
    """The fault of an item while the context lasts."""
    return FAMILIES[item.family].plant(session, item)


def fitting(session: Session, key: CellKey) -> Sequence[str]:
    """Families that a cell can have."""
    return [name for name, family in FAMILIES.items() if family.fits(session, key)]
