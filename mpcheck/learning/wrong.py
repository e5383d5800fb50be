"""What is wrong with a training, as against less accurate: each names the layer that it is about, where there is one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpcheck._text import listed
from mpcheck.formats import F64
from mpcheck.learning.training import Run

APPLIED = 1 / 16
"""Of the unit roundoff of a regime's narrowest format, that the gradient of some layer must differ from float64's by. Measured with the weights of
ten seeds: 2 to 23 in 16 bits, 7 to 70 in float32."""
EPSILON = 1e-8
"""Of torch's Adam, by default."""
EXACT = 1e-9
"""Relative error of gradients that float64 itself may have, against another float64 model."""
COLLAPSED = 0.5
"""Share of the later half of the steps that may overflow: a scale that has settled leaves out one step in as many as it takes to grow."""


@dataclass(frozen=True)
class Wrong:
    """One thing. what: one of :data:`KINDS`; layer: that it is about, may be empty."""

    what: str
    text: str
    layer: str = ""


KINDS = (
    "not a number",
    "no learning",
    "loss scale",
    "dropped gradient",
    "frozen layer",
    "optimiser state",
    "master weights",
    "weights evaluated",
    "regime",
)


def wrongs(run: Run) -> list[Wrong]:
    """All of them, the first cause first."""
    return [*_types(run), *_applied(run), *_dropped(run), *_scale(run), *_learned(run), *_evaluated(run)]


def _types(run: Run) -> Iterator[Wrong]:
    """What is stored in another type than the regime says."""
    for told, what, where in ((run.stored, "master weights", "weights are"), (run.moments, "optimiser state", "the optimiser's moments are")):
        for layer, found in told.items():
            narrow = run.regime.weights_in_16_bits and layer in run.linear
            asked = run.regime.linear if narrow else run.regime.base
            if found != asked:
                yield Wrong(what, f"{where} {found} in {layer}, and {asked} is asked for", layer)


def _applied(run: Run) -> Iterator[Wrong]:
    """Whether anything was rounded as the regime says, or something in float64 itself."""
    errors = [one.relative_error for one in run.layers if one.when == "start" and math.isfinite(one.relative_error)]
    largest = max(errors, default=0.0)
    if run.regime.name == F64:
        if largest > EXACT:
            yield Wrong("regime", f"gradients differ by {largest:.1e} from those of another float64 model at the same weights")
    elif largest < APPLIED * run.regime.lowest.u:
        yield Wrong("regime", f"nothing was rounded to {run.regime.lowest.name}: no gradient differs from float64's by more than {largest:.1e}")


def _dropped(run: Run) -> Iterator[Wrong]:
    """Layers whose gradients are gone, and layers that never moved."""
    for layer in dict.fromkeys(one.layer for one in run.layers if one.dropped):
        whens = [one.when for one in run.layers if one.dropped and one.layer == layer]
        yield Wrong("dropped gradient", f"every gradient of {layer} is zero at the {' and the '.join(whens)}, and float64's are not", layer)
    known = {one.layer for one in run.layers if one.dropped}
    for layer in run.still:
        if layer not in known:
            yield Wrong("frozen layer", f"no weight of {layer} has moved in {run.steps} steps", layer)


def _scale(run: Run) -> Iterator[Wrong]:
    """Whether the loss scale follows what overflows, as torch documents it, and what it has come to."""
    if not run.regime.scaled:
        return
    layer = max((one for one in run.layers if one.beyond > 0), key=lambda one: one.beyond, default=None)
    blamed = layer.layer if layer is not None else ""
    if text := scale_text(run.scales, run.overflowed, run.settings.init_scale, run.settings.growth_interval):
        yield Wrong("loss scale", text)
    steps = len(run.scales)
    late = [step for step in run.overflowed if step >= steps // 2]
    if late and len(late) > COLLAPSED * (steps - steps // 2):
        yield Wrong("loss scale", f"it has collapsed to {run.scales[-1]:g}: {len(run.overflowed)} of {steps} steps overflowed", blamed)


def scale_text(scales: Sequence[float], overflowed: Sequence[int], first: float, interval: int) -> str:
    """Where a history of loss scales is not what overflows make it: halved after each, doubled after so many steps without. Empty where it is."""
    expected, good, lost = first, 0, set(overflowed)
    for step, scale in enumerate(scales):
        if scale != expected:
            if scale < expected and good == 0 and step:
                return f"it stays at {scale:g} at step {step}, though {interval} steps passed without an overflow"
            if scale > expected:
                return f"it is {scale:g} at step {step}, after an overflow that halves it to {expected:g}"
            return f"it falls to {scale:g} at step {step}, without an overflow"
        if step in lost:
            expected, good = expected / 2, 0
        elif (good := good + 1) == interval:
            expected, good = expected * 2, 0
    return ""


def _learned(run: Run) -> Iterator[Wrong]:
    """Whether the loss is a number at the end, and lower than before."""
    losses = [run.train_loss[-1] if run.train_loss else math.nan, run.validation_loss[-1]]
    if run.broken or not all(map(math.isfinite, losses)):
        epoch = next((i for i, loss in enumerate(run.train_loss, 1) if not math.isfinite(loss)), run.settings.epochs)
        where = f", nor are weights of {listed(run.broken, 3)}" if run.broken else ""
        why = f"; Adam's epsilon of {EPSILON:g} is zero in {run.regime.linear}" if run.regime.weights_in_16_bits and _vanishes(run) else ""
        yield Wrong("not a number", f"the loss is none from epoch {epoch}{where}{why}", run.broken[0] if run.broken else "")
    elif run.fresh and run.validation_loss[-1] >= run.validation_loss[0]:
        yield Wrong(
            "no learning", f"validation loss {run.validation_loss[-1]:.3g} after {run.settings.epochs} epochs, {run.validation_loss[0]:.3g} before"
        )


def _vanishes(run: Run) -> bool:
    """Whether what Adam adds to the root of its second moment, so that nothing is divided by zero, is itself zero where moments are kept."""
    fmt = run.regime.lowest
    return fmt.smallest_normal * fmt.u >= EPSILON  # half of the smallest number there is


def _evaluated(run: Run) -> Iterator[Wrong]:
    """Whether the weights that were asked for were evaluated."""
    if run.evaluated != run.asked:
        yield Wrong(
            "weights evaluated", f"{'the moving average' if run.asked == 'ema' else 'the last weights'} were asked for, others were evaluated"
        )
