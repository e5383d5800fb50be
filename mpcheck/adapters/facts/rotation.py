"""Rotations and inversion acting on tensors of irreps: Wigner D matrices in e3nn's convention, correct to the last bit.

e3nn's own ``wigner_D`` goes through Euler angles and a table, which costs it several roundings; an equivariance error in
float64 is of that size. Here a rotation is a quaternion, read as exact numbers. ``D^1`` is its rotation matrix (e3nn's 1o is
x, y, z) and ``D^l`` follows from ``D^(l-1)`` and ``D^1`` by the coupling ``(l-1) x 1 -> l``, in forty decimal digits. The
coupling has the signs and the basis of e3nn's ``wigner_3j``, but not its last bits (:mod:`mpcheck.adapters.facts.couplings`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

import torch

from mpcheck.adapters.facts.couplings import DIGITS, coupling
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import o3

_ISOMETRY = Decimal("1e-30")
Matrix = tuple[tuple[Decimal, ...], ...]
Quaternion = tuple[float, float, float, float]
IDENTITY: Quaternion = (1.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=32)
def _isometry(l: int) -> tuple[tuple[int, int, int, Decimal], ...]:  # noqa: E741 - the field's letter
    """Non-zero entries ``(i, j, m, c)`` of the isometry ``(l-1) x 1 -> l``: ``sum_ij c_ijm c_ijn = delta_mn``.

    Raises:
        ValueError: upstream's coefficients are not those of an isometry.
    """
    with localcontext() as context:
        context.prec = DIGITS
        scale = Decimal(2 * l + 1).sqrt()
        entries = tuple((i, j, m, c * scale) for i, j, m, c in coupling(l - 1, 1, l).entries)
        sums: dict[tuple[int, int], Decimal] = {(m, m): Decimal(-1) for m in range(2 * l + 1)}
        for i, j, m, a in entries:
            for k, h, n, b in entries:
                if (i, j) == (k, h):
                    sums[m, n] = sums.get((m, n), Decimal(0)) + a * b
        if any(abs(s) > _ISOMETRY for s in sums.values()):
            raise ValueError(f"wigner_3j({l - 1}, 1, {l}) is not an isometry")
    return entries


@lru_cache(maxsize=4096)
def _wigner(quaternion: Quaternion, l: int) -> Matrix:  # noqa: E741
    """D^l of a proper rotation, ``[2l+1][2l+1]``, to DIGITS digits."""
    if l == 0:
        return ((Decimal(1),),)
    with localcontext() as context:
        context.prec = DIGITS
        if l == 1:
            w, x, y, z = map(Decimal, quaternion)
            norm = w * w + x * x + y * y + z * z
            # Shoemake (1985): the rotation matrix of a quaternion that need not be normalised
            return (
                ((w * w + x * x - y * y - z * z) / norm, 2 * (x * y - w * z) / norm, 2 * (x * z + w * y) / norm),
                (2 * (x * y + w * z) / norm, (w * w - x * x + y * y - z * z) / norm, 2 * (y * z - w * x) / norm),
                (2 * (x * z - w * y) / norm, 2 * (y * z + w * x) / norm, (w * w - x * x - y * y + z * z) / norm),
            )
        lower, vector, entries = _wigner(quaternion, l - 1), _wigner(quaternion, 1), _isometry(l)
        d = [[Decimal(0)] * (2 * l + 1) for _ in range(2 * l + 1)]
        for i, j, m, a in entries:
            row, first, second = d[m], lower[i], vector[j]
            for k, h, n, b in entries:
                row[n] += a * b * first[k] * second[h]
        return tuple(map(tuple, d))


@dataclass(frozen=True)
class Turn:
    """A rotation, inverted or not: an element of O(3).

    Attributes:
        quaternion: w, x, y, z, of any length but 0.
        inverted: followed by the inversion of space.
    """

    quaternion: Quaternion = IDENTITY
    inverted: bool = False

    @property
    def kind(self) -> str:
        """``rotation``, ``inversion`` or ``rotoinversion``."""
        if not self.inverted:
            return "rotation"
        return "rotoinversion" if any(self.quaternion[1:]) else "inversion"

    @property
    def text(self) -> str:
        """In words: angle in degrees and axis."""
        w, *axis = self.quaternion
        norm = math.hypot(*axis)
        if norm == 0:
            return "inversion" if self.inverted else "the identity"
        angle = math.degrees(2 * math.atan2(norm, w))
        unit = ", ".join(f"{a / norm:.3g}" for a in axis)
        return f"rotation by {angle:.4g}° about [{unit}]" + (" and inversion" if self.inverted else "")

    @property
    def inverse(self) -> Turn:
        """What undoes it."""
        w, x, y, z = self.quaternion
        return Turn((w, -x, -y, -z), self.inverted)

    def matrix(self, l: int, parity: int, like: torch.Tensor) -> torch.Tensor:  # noqa: E741
        """D of an irrep ``[2l+1, 2l+1]`` in float64 on the device of ``like``; parity 1 (even) or -1 (odd)."""
        sign = -1.0 if self.inverted and parity < 0 else 1.0
        exact = _wigner(self.quaternion, l)
        return torch.tensor([[sign * float(entry) for entry in row] for row in exact], dtype=torch.float64, device=like.device)

    def vectors(self, x: torch.Tensor) -> torch.Tensor:
        """Polar vectors ``[..., 3]``, turned."""
        return x @ self.matrix(1, -1, x).T

    def tensors(self, x: torch.Tensor) -> torch.Tensor:
        """Second-rank tensors ``[..., 3, 3]`` such as stress, turned."""
        r = self.matrix(1, -1, x)
        return r @ x @ r.T


def _parts(x: torch.Tensor, slot: Slot) -> list[tuple[int, int, slice]]:
    """``(l, parity, slice of the last axis)`` per irrep of a tensor.

    Raises:
        ValueError: the tensor does not have the extent of the declared irreps.
    """
    irreps = o3.Irreps(slot.irreps)
    if slot.form == "channels":
        irreps = o3.Irreps([(1, ir) for _, ir in irreps])
    if not x.ndim or x.shape[-1] != irreps.dim:
        raise ValueError(f"a tensor of shape {list(x.shape)} is declared as {slot.irreps}")
    return [(ir.l, ir.p, where) for (_, ir), where in zip(irreps, irreps.slices(), strict=True)]


def highest(slot: Slot) -> int:
    """Largest l that a slot declares; 0 of plain tensors."""
    return max((ir.l for _, ir in o3.Irreps(slot.irreps)), default=0) if slot.irreps is not None else 0


def odd(slot: Slot) -> bool:
    """Whether a slot declares an irrep that changes under rotation or inversion."""
    return slot.irreps is not None and any(ir.l > 0 or ir.p < 0 for _, ir in o3.Irreps(slot.irreps))


def transformed(x: torch.Tensor, slot: Slot, turn: Turn) -> torch.Tensor:
    """``D(turn) x`` for a float64 tensor in e3nn's layout, by the irreps of its slot; plain tensors are invariant."""
    if slot.irreps is None or not x.numel():
        return x
    done = []
    for l, p, where in _parts(x, slot):  # noqa: E741
        part = x[..., where]
        if l == 0:
            done.append(-part if turn.inverted and p < 0 else part)
        elif turn.quaternion[1:] == (0.0, 0.0, 0.0):
            done.append(part * (-1.0 if turn.inverted and p < 0 else 1.0))
        else:
            d = 2 * l + 1
            done.append((part.reshape(*part.shape[:-1], -1, d) @ turn.matrix(l, p, x).T).reshape(part.shape))
    return torch.cat(done, dim=-1)


def mixed(square: torch.Tensor, slot: Slot) -> torch.Tensor:
    """Mean over the components of one irrep and channel, in the tensor's shape: what a rotation makes of a variance."""
    if slot.irreps is None or not square.numel():
        return square
    done = []
    for l, _, where in _parts(square, slot):  # noqa: E741
        part = square[..., where]
        grouped = part.reshape(*part.shape[:-1], -1, 2 * l + 1)
        done.append(grouped.mean(dim=-1, keepdim=True).expand_as(grouped).reshape(part.shape))
    return torch.cat(done, dim=-1)


def roundings(like: torch.Tensor, slot: Slot) -> torch.Tensor:
    """Variance of the roundings in ``D x``, in units of ``u^2 / 3`` times the mixed ``x^2``, along the last axis.

    The entries of D are rounded once (1), the products once (1), and each of the 2l additions rounds a partial sum that
    holds k of the 2l+1 terms: sum over k = 2 … 2l+1 of k / (2l+1), less than l + 1. Together l + 3; nothing for l = 0.
    """
    variance = torch.zeros(like.shape[-1] if like.ndim else 1, dtype=torch.float64, device=like.device)
    if slot.irreps is not None and like.numel():
        for l, _, where in _parts(like, slot):  # noqa: E741
            variance[where] = l + 3.0 if l else 0.0
    return variance
