"""A step in float64, all that it computes by name: what is judged elsewhere is compared with this, and its Monte Carlo draws are of this."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.learning.batch import labelled
from mpcheck.adapters.learning.taking import STATES, Settings, loss_function, loss_of
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.learning.step.adam import State, stepped
from mpcheck.learning.step.digest import projections
from mpcheck.learning.step.parametrisation import KINDS, Kind, in_kind

Tensors = dict[str, torch.Tensor]
GRADIENT = "weight.loss."
"""Of a quantity's name, as precision has it: ``weight.CASE.PARAMETER`` is a gradient."""
AFTER, CHANGE, DIGEST = "updated.", "change.", "digest."


def update_name(kind: Kind, what: str, parameter: str = "") -> str:
    """A quantity that depends on how the model is parametrised: ``e3nn:change.PARAMETER``."""
    return f"{kind}:{what}{parameter}"


@dataclass(frozen=True)
class Problem:
    """What a step is of.

    Attributes:
        model: float64 e3nn model, whose parameters stay as they are. graph, labels: on its device. state: by parametrisation, of the optimiser.
        steps: that the optimiser has taken.
    """

    model: torch.nn.Module
    graph: Tensors
    labels: Tensors
    settings: Settings
    state: Mapping[Kind, State]
    steps: int

    def perturbed(self, noise: Callable[[torch.Tensor], torch.Tensor]) -> Problem:
        """The same with everything that a format stores perturbed, but for the model."""

        def all_of(tensors: Mapping[str, torch.Tensor]) -> Tensors:
            return {n: noise(t) for n, t in tensors.items()}

        state = {kind: {name: all_of(own) for name, own in by.items()} for kind, by in self.state.items()}
        return Problem(self.model, all_of(self.graph), all_of(self.labels), self.settings, state, self.steps)

    def with_state(self, state: Mapping[Kind, State]) -> Problem:
        """The same with another state."""
        return Problem(self.model, self.graph, self.labels, self.settings, state, self.steps)


@contextlib.contextmanager
def _during(phases: Any, phase: str) -> Iterator[None]:
    if phases is None:
        yield
        return
    before, phases.phase = phases.phase, phase
    try:
        yield
    finally:
        phases.phase = before


def trained(model: torch.nn.Module) -> Tensors:
    """Parameters that want a gradient, by name."""
    return {n: p for n, p in model.named_parameters() if p.requires_grad}


def loss_and_gradients(
    problem: Problem, forward: torch.nn.Module | None = None, scale: float = 1.0, phases: Any = None
) -> tuple[torch.Tensor, Tensors]:
    """The loss, and its gradients by the e3nn model's parameters that it depends on, in the types that torch gives them.

    Args:
        forward: the model that is called in the place of the problem's, with parameters of the same names. scale: of the loss, which its gradients
            are divided by again. phases: a mode that is told whether the backward pass is under way.
    """
    model = forward or problem.model
    device = problem.graph["positions"].device
    loss = loss_function(problem.settings, torch.float64, device)
    batch = labelled(problem.graph, problem.labels, torch.float64, device)
    parameters = trained(model)
    with quiet(), default_dtype(torch.float64):  # in which upstream makes masks of heads, and the pair repulsion
        value = loss_of(model, batch, loss, problem.settings)
    with _during(phases, "backward"):
        found = torch.autograd.grad(value * scale, list(parameters.values()), allow_unused=True)
    gradients = {n: g.detach() / scale for n, g in zip(parameters, found, strict=True) if g is not None}
    return value.detach(), gradients


def values_of(problem: Problem, forward: torch.nn.Module | None = None, scale: float = 1.0, phases: Any = None) -> Tensors:
    """Every quantity of a step by name: ``loss``, ``weight.loss.PARAMETER``, and for each parametrisation the gradients, ``change.``, ``updated.``
    and the optimiser's states of its parameters; float64.

    Args: see :func:`loss_and_gradients`.
    """
    model = forward or problem.model
    loss, gradients = loss_and_gradients(problem, forward, scale, phases)
    weights = {n: p.detach() for n, p in trained(model).items()}
    values: Tensors = {"loss": loss.reshape(1)}
    for kind in KINDS:
        own, at = in_kind(kind, problem.model, gradients, gradients=True), in_kind(kind, problem.model, weights, gradients=False)
        values.update({f"{GRADIENT}{n}": g for n, g in own.items()})
        if problem.state:
            made = stepped(problem.settings, at, own, _typed(problem.state[kind], at), problem.steps)
            values.update({update_name(kind, CHANGE, n): t for n, t in made.change.items()})
            values.update({update_name(kind, AFTER, n): t for n, t in made.after.items()})
            values.update({update_name(kind, f"{s}.", n): t for s in STATES for n, t in made.state[s].items()})
    return {n: t.to(torch.float64) for n, t in values.items()}


def with_digests(values: Mapping[str, torch.Tensor]) -> Tensors:
    """Values, and ``digest.PARAMETER`` of every gradient among them: taken in float64, outside of whatever rounds."""
    names = {n.removeprefix(GRADIENT): g for n, g in values.items() if n.startswith(GRADIENT)}
    return {**values, **{f"{DIGEST}{n}": projections(n, g) for n, g in names.items()}}


def _typed(state: State, like: Mapping[str, torch.Tensor]) -> State:
    """A state in the types that parameters are kept in, as an optimiser has it."""
    return {kind: {n: t.to(like[n].dtype) if n in like else t for n, t in own.items()} for kind, own in state.items()}
