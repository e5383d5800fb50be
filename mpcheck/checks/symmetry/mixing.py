"""Mixed backends: any single block swapped for another backend's, without and with the layout conversions around it.

Without adapters (``bare``) every swap that changes a layout must be seen by the block's own check, and is named with how far
node features and energies move end to end, because some of them hardly move at all. With adapters (``adapted``) the block
must pass, and the whole model must equal the pure backend within the noise of a float64 evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.layout import differing
from mpcheck.adapters.backends.mixed import MixedModel, at_boundary, mismatches, whole
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.symmetry.layouts import WorstOutput, exact_change, hides, judged, smallest, unread
from mpcheck.checks.symmetry.shifts import Evaluated, FeatureChange, batches, evaluate, noise, perturbed, shift
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.metrics import widened
from mpcheck.judge.refusing import refused, usable
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.judge.scale import UNIFORM_SPREAD
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict
from mpcheck.reference.library import BlockReference

CHECK = "mix"
STRUCTURES = 24  # perturbed structures of the end-to-end figures in the session; `mpcheck mix` takes 100
FEWEST_ATOMS = 5  # of the structure that is perturbed: fewer lie in a plane, where half of the components vanish


class Bench:
    """Perturbations of one structure, and what pure backends and noise give on them; each computed once.

    The structure is the smallest molecule of the run's systems, or the smallest structure where there is none.
    """

    def __init__(self, context: Context, structures: int) -> None:
        frames = [f for system in context.systems.values() for f in system.frames]
        frame = min(frames, key=lambda f: (len(f) < FEWEST_ATOMS, bool(f.pbc.any()), len(f)))
        self.context = context
        self.graphs: list[Tensors] = batches(context.model, perturbed(frame, structures, context.seed), context.device)
        self._pure: dict[str, Evaluated] = {}
        self._noise: tuple[float, float] | None = None

    def pure(self, backend: BackendModel) -> Evaluated:
        """The unmixed backend."""
        if backend.name not in self._pure:
            self._pure[backend.name] = evaluate(whole(backend), self.graphs)
        return self._pure[backend.name]

    @property
    def noise(self) -> tuple[float, float]:
        """Of node features and of energies per atom, of the reference."""
        if self._noise is None:
            reference = self.context.reference_backend
            self._noise = noise(reference.model, self.graphs, self.pure(reference), self.context.seed)
        return self._noise

    def shift(self, mixed: MixedModel, base: BackendModel) -> tuple[FeatureChange, float]:
        """How far a mixed model is from its base, and that in units of the noise: the larger of features and energies."""
        changed, pure = evaluate(mixed.model, self.graphs), self.pure(base)
        features = math.sqrt(float((changed.features - pure.features).square().mean()))
        energies = math.sqrt(float((changed.energies - pure.energies).square().mean()))
        ratios = [_over(features, self.noise[0]), _over(energies, self.noise[1])]
        return shift(changed, pure), math.inf if any(math.isnan(r) for r in ratios) else max(ratios)


def _over(a: float, b: float) -> float:
    return a / b if b > 0 else (0.0 if a == 0 else math.inf)


_benches: WeakKeyDictionary[Context, dict[int, Bench]] = WeakKeyDictionary()


def bench(context: Context, structures: int) -> Bench:
    """A run's bench; made once."""
    own = _benches.setdefault(context, {})
    if structures not in own:
        own[structures] = Bench(context, structures)
    return own[structures]


def expected(block: Block, base: BackendModel, donor: BackendModel, reference: BlockReference) -> list[str]:
    """Tensors at the block's boundary by which the swap must be seen: their layout changes, and the block reads what changes."""
    names = []
    block = at_boundary(block, base, donor)
    for text in mismatches(block, base.layout, donor.layout):
        name = text.partition(" ")[0]
        if name in block.inputs and name in reference.inputs:
            slot = block.inputs[name]
            if set(unread(name, slot, reference)) == set(differing(slot)):
                continue
        if name in block.outputs and name in reference.values and not _moves(reference.values[name], block, name):
            continue
        names.append(text)
    return names


def _moves(value: torch.Tensor, block: Block, name: str) -> bool:
    """Whether an output has any non-zero number where the layouts differ."""
    slot = block.outputs[name]
    return any(bool(value[..., where].any()) for label, where in slot.groups(tuple(value.shape)) if label in differing(slot))


@dataclass(frozen=True)
class Swap:
    """What one mixed model showed.

    Attributes:
        judgement: of the swapped block; None where it raised.
        raised: what the block or the model raised; empty.
        moved, ratio: end to end; None where it raised.
    """

    judgement: WorstOutput | None
    raised: str
    moved: FeatureChange | None
    ratio: float | None

    @property
    def seen(self) -> bool:
        """Whether the block's check objects."""
        return self.judgement is None or bool(self.judgement.failures)


def tried(context: Context, mixed: MixedModel, base: BackendModel, donor: BackendModel, reference: BlockReference, on: Bench) -> Swap:
    """Judge the swapped block in float64 within the limits of who computes it, then evaluate the mixed model end to end."""
    raised: list[str] = []
    judgement, moved, ratio = None, None, None
    low = attempt(lambda: replay(mixed, reference, FLOAT64, FORWARD))
    if isinstance(low, Raised):
        raised.append(low.text)
    else:
        judgement = judged(low, reference, donor, FLOAT64, context.tolerances)
    shifted = attempt(lambda: on.shift(mixed, base))
    if isinstance(shifted, Raised):
        raised.append(shifted.text)
    else:
        moved, ratio = shifted
    return Swap(judgement, "; ".join(dict.fromkeys(raised)), moved, ratio)


def end_to_end_limit(context: Context) -> float:
    """On the distance of two float64 evaluations: each has the noise, whose scale is known from few draws of few structures."""
    return math.sqrt(2) * widened(context.tolerances.universal.rms, UNIFORM_SPREAD)


def _figures(swap: Swap, names: list[str], limit: float) -> dict[str, Any]:
    metrics: dict[str, Any] = {"mismatched": names}
    if swap.moved is not None:
        metrics |= swap.moved.metrics
    if swap.ratio is not None:
        metrics |= {"end_to_end_ratio": swap.ratio if math.isfinite(swap.ratio) else None, "end_to_end_sees": not swap.ratio <= limit}
    return metrics


def _bare(base: dict[str, Any], swap: Swap, names: list[str], limit: float, adapts: bool = False, hidden: Callable[[], str] = lambda: "") -> Record:
    """The record of a swap without adapters.

    Args:
        names: of tensors whose layout changes. adapts: whether adapters convert something, be it only how a block is called: where they do,
            a swap that raises without them is no fault, and one that is wrong without raising is.
        hidden: why a swap that is not seen cannot be seen on this structure; empty where it could.
    """
    verdict: Verdict = "pass"
    named = f"layout mismatch of {', '.join(names)}" if names else "no layout changes"
    how = f"raises {swap.raised}" if swap.raised else (swap.moved.text if swap.moved is not None else "")
    reason = f"{named}: {how}" if how else named
    if not names and swap.raised and adapts:
        reason = f"it is called otherwise: {how}"
    elif not names:
        verdict = "indistinguishable"
        if swap.seen:
            verdict = "fail"
            reason = f"no layout changes, yet {swap.judgement.failures[0] if swap.judgement else 'it raises ' + swap.raised}"
    elif not swap.seen:
        why = hidden()
        verdict, reason = ("indistinguishable", f"{named}: {why}") if why else ("fail", f"{reason}; the block's check does not see it")
    return _finding({**base, "variant": "bare"}, verdict, reason, swap, _figures(swap, names, limit))


def _adapted(base: dict[str, Any], swap: Swap, limit: float) -> Record:
    verdict: Verdict = "pass"
    reason = ""
    if swap.raised:
        verdict, reason = "fail", f"raises {swap.raised}"
    elif swap.judgement is not None and swap.judgement.failures:
        verdict, reason = "fail", f"block with adapters: {swap.judgement.failures[0]}"
    elif swap.ratio is not None and not swap.ratio <= limit:
        text = swap.moved.text if swap.moved is not None else ""
        verdict, reason = "fail", f"differs from the pure backend by {swap.ratio:.3g} times the noise, allowed {limit:.3g}: {text}"
    return _finding({**base, "variant": "adapted"}, verdict, reason, swap, _figures(swap, [], limit))


def _finding(base: dict[str, Any], verdict: Verdict, reason: str, swap: Swap, metrics: dict[str, Any]) -> Record:
    judgement = swap.judgement
    ratio = judgement.ratio if judgement is not None and math.isfinite(judgement.ratio) else None
    return Record(
        **base, verdict=verdict, reason=reason, ratio=ratio, limit=None if judgement is None else judgement.limit, detail=figures(metrics),
        worst="" if judgement is None else judgement.tensor,
    )  # fmt: skip


@timed
def run(context: Context, key: Key, structures: int = STRUCTURES) -> list[Record]:
    """One block of one backend (``key.backend``) replaced by another's (``key.variant``): bare, then adapted."""
    names: dict[str, Any] = {"check": CHECK, "subject": key.subject, "backend": f"{key.backend}+{key.variant}", "system": key.system}
    library = context.library(key.system)
    block = library.block(key.subject)
    base, donor = context.backend(key.backend), context.backend(key.variant)
    for side in (base, donor):
        if isinstance(why := usable(library, side, block, FLOAT64), Unsupported):
            return [refused(names, why)]
    assert not isinstance(base, Unsupported) and not isinstance(donor, Unsupported)  # told above
    if base.module(WHOLE) is None:
        return [refused(names, Unsupported("not-applicable", f"backend {base.name} has no whole model that blocks could be swapped in"))]
    reference, on, limit = library.get(key.subject), bench(context, structures), end_to_end_limit(context)
    swaps, donors = {key.subject: key.variant}, {key.variant: donor}
    adapted = tried(context, MixedModel(base, donors, swaps, adapters=True), base, donor, reference, on)
    must = expected(block, base, donor, reference)
    # adapters that convert nothing are none: the two are one model then
    same = not mismatches(at_boundary(block, base, donor), base.layout, donor.layout) and block.class_name != "SymmetricContraction"
    bare = adapted if same else tried(context, MixedModel(base, donors, swaps, adapters=False), base, donor, reference, on)

    def hidden() -> str:
        tensors = [text.partition(" ")[0] for text in must]
        exact = exact_change(context, at_boundary(block, base, donor), tensors, donor.layout, reference)
        seen = hides(exact, bare.judgement, adapted.judgement.ratio if adapted.judgement else 0.0)
        return f"makes {exact:.2g} roundings on this structure, too few to see" if seen else ""

    return [_bare(names, bare, must, limit, not same, hidden), _adapted(names, adapted, limit)]


def keys(context: Context) -> list[Key]:
    """Every leaf block that carries irreps, by ordered pair of backends, on the smallest system."""
    system, names = smallest(context), context.backend_names
    blocks = [b for b in context.blocks(system) if b.kind == "leaf" and "@" not in b.name and {**b.inputs, **b.outputs}]
    pairs = [(b, d) for b in names for d in names if b != d]
    return [Key(CHECK, block.name, base, "", system, donor) for block in blocks for base, donor in pairs]


def keys_of(context: Context, base: str, swaps: Mapping[str, str]) -> list[Key]:
    """The work of chosen swaps.

    Raises:
        InputError: a block that the model lacks or that is a step of it, or a swap for the same backend.
    """
    system = smallest(context)
    blocks = {b.name: b for b in context.blocks(system) if b.kind != "step" and "@" not in b.name}
    for name, donor in swaps.items():
        if name not in blocks:
            raise InputError(f"no block {name!r} that a backend could swap; there are {', '.join(blocks)}")
        if donor == base:
            raise InputError(f"{name} is of {base} already; swap it for another backend or choose another --base")
    return [Key(CHECK, name, base, "", system, donor) for name, donor in swaps.items()]


def together(context: Context, base_name: str, swaps: Mapping[str, str], structures: int = STRUCTURES) -> list[Record]:
    """Several swaps in one model, end to end: without adapters (figures only), and with, which must equal the base within noise."""
    names: dict[str, Any] = {"check": CHECK, "subject": " + ".join(swaps), "backend": f"{base_name}+{'+'.join(dict.fromkeys(swaps.values()))}"}
    base = context.backend(base_name)
    donors = {name: context.backend(name) for name in swaps.values()}
    missing = [b for b in (base, *donors.values()) if isinstance(b, Unsupported)]
    if missing or isinstance(base, Unsupported):
        return [refused(names, missing[0])]
    built = {name: donor for name, donor in donors.items() if not isinstance(donor, Unsupported)}
    on, limit = bench(context, structures), end_to_end_limit(context)
    records = []
    for adapters in (False, True):
        shifted = attempt(lambda adapters=adapters: on.shift(MixedModel(base, built, swaps, adapters), base))  # type: ignore[misc]
        swap = Swap(None, shifted.text, None, None) if isinstance(shifted, Raised) else Swap(None, "", *shifted)
        equal = swap.ratio is not None and swap.ratio <= limit
        if adapters:
            records.append(_adapted(names, swap, limit))
        else:
            reason = swap.raised or (swap.moved.text if swap.moved is not None else "")
            made = _finding({**names, "variant": "bare"}, "indistinguishable" if equal else "pass", reason, swap, _figures(swap, [], limit))
            records.append(made)
    return records


INSPECTION = Inspection(CHECK, keys, run)
