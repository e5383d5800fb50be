"""Training mode: where a model declares nothing that is random or reads the batch, ``train()`` computes what ``eval()`` does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.mode_dependent import mode_dependent
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.physics.watching import watched
from mpcheck.checks.uses.asking import STRAINED, Difference, differences, flags_of, generic, judged, learned, learning_scales, outputs
from mpcheck.records.record import Record


@contextlib.contextmanager
def mode(model: torch.nn.Module, training: bool) -> Iterator[None]:
    """Every module in a mode, and back in the one that it was in."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was


def training(case: Case) -> list[Record]:
    """Outputs and gradients by parameters in training mode against those in evaluation, and in evaluation once more; outputs
    without forward's ``training`` against those with it.
    """
    if declared := mode_dependent(case.model):
        name, what = next(iter(declared.items()))
        return [case.finding(None, verdict="unsupported", reason=f"the model has {name}: {what}")]
    graph = generic(case)
    with mode(case.model, False):
        learned(case.model, graph)  # TorchScript's first calls, which may round otherwise
        base = learned(case.model, graph)
        scale = learning_scales(case, base)
        plain = outputs(case.model, graph, **flags_of(case.model, **STRAINED))
    with mode(case.model, True):
        found, again = learned(case.model, graph), learned(case.model, graph)
    with mode(case.model, False):
        after = learned(case.model, graph)
    rows = list(differences(case, found, base, scale))
    random = any(not r.share <= 1.0 for r in differences(case, again, found, scale))

    def told(worst: Difference) -> str:
        changes = "; nor do two calls in it agree, as if something in it were random that no module declares" if random else ""
        return f"{_first(case, graph)}{worst.what} in training mode is not what it is in evaluation, by {worst.size:.3g}{changes}"

    records = [judged(case, rows, "train", told)]
    left = list(differences(case, after, base, scale))
    records.append(judged(case, left, "back in eval", lambda w: f"{w.what} is not what it was before training mode, by {w.size:.3g}"))
    forward = list(differences(case, {n: base[n] for n in plain if n in base}, plain, scale))
    told_forward = "with forward's training=True {0.what} is not what it is without, by {0.size:.3g}"
    records.append(judged(case, forward, "training argument", told_forward.format))
    return records


def _first(case: Case, graph: Tensors) -> str:
    """The first block whose output is another in training, with a colon; empty where none is."""
    seen = []
    for on in (False, True):
        with mode(case.model, on), watched(case.model) as one:
            outputs(case.model, graph, **flags_of(case.model, compute_force=False))
        seen.append(one.outputs)
    parted = [name for name, value in seen[0].items() if name not in seen[1] or not torch.equal(seen[1][name], value)]
    return f"{parted[0]}: " if parted else ""
