"""The judged step: a backend's model in a regime, moved by upstream's own loss, optimiser and ``take_step``."""

from __future__ import annotations

import torch

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.learning.batch import labelled
from mpcheck.adapters.learning.taking import STATES, Settings, Taken, taken
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.judge.replay import arithmetic
from mpcheck.learning.step import WARM
from mpcheck.learning.step.names import AMP, MASTERS, STORED
from mpcheck.learning.step.narrow import Autocast, copied, lowered
from mpcheck.learning.step.parametrisation import Names
from mpcheck.learning.step.reference import StepReference
from mpcheck.learning.step.regimes import Regime
from mpcheck.learning.step.whole import Tensors


def model_in(backend: BackendModel, regime: Regime) -> torch.nn.Module:
    """A backend's model in a regime, to be trained; the backend's own stays as it is.

    Args:
        backend: that has a whole model.
    """
    model = backend.module(WHOLE)
    assert model is not None  # the caller has asked
    if regime.kind in (MASTERS, STORED):
        return lowered(model, backend.source, regime.wide, regime.format.storage, stored=regime.kind == STORED)
    return copied(model, regime.wide)


def replayed(
    backend: BackendModel, regime: Regime, graph: Tensors, settings: Settings, reference: StepReference, names: Names | None
) -> Taken:  # fmt: skip
    """One step.

    Args:
        names: of the backend's parameters beside the reference's, whose state they begin with; None where they cannot be matched, and begin with
            a state of zero.
    """
    model = model_in(backend, regime)
    model.train()
    state = {kind: names.own(reference.state[names.kind][kind]) for kind in STATES} if names is not None else {kind: {} for kind in STATES}
    batch = labelled(graph, reference.labels, regime.wide, backend.device)
    forward = Autocast(model, regime.format.storage, backend.device) if regime.kind == AMP else None
    scale = reference.scale if regime.scaled else None
    with arithmetic(regime.base, backend.device), default_dtype(regime.wide), quiet():
        return taken(model, batch, settings, state, WARM, scale, forward)
