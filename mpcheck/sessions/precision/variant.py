"""Whether a whole model in a variant gives what the float64 model gives: at its first call, at later ones, and for odd and even numbers of atoms.

A compiler may give a right answer for one size and a wrong one for the next: pytorch issue 178871 adds a constant to the energy where the
number of atoms is odd, and leaves forces right. Compiled code may also go wrong at the first call alone, or at all but the first: it is traced,
specialised to sizes, and compiled anew where they change. So a structure is computed in its own size, without an atom, and again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck._raised import Raised
from mpcheck._unsupported import Unsupported
from mpcheck._variants import CUDAGRAPH
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.backends.variant_model import VariantModel
from mpcheck.adapters.compiler import refused
from mpcheck.adapters.graph import make_graph
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.formats import FLOAT64, Format
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.policy.speed.agreement import DRAWS, SIGMAS
from mpcheck.policy.speed.variants import varied
from mpcheck.reference.cut import Graph, without
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import perturb, seed_of
from mpcheck.reference.whole_noise import ROUNDOFF
from mpcheck.sessions.run import Session

CALLS = 3
"""Of each structure: TorchScript watches the first, optimises in the second, and runs what came of it in the third."""
ORDINALS = ("first", "second", "third")
MOVED = ("positions", "shifts", "cell")
"""What of a graph a format rounds: the rest holds whole numbers."""
QUANTITIES = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å³"}


def running(model: PolicyModel, built: VariantModel, device: torch.device) -> PolicyModel:
    """A model in a format, in a variant.

    Args:
        model: may not be used any more.

    Raises:
        BaseException: whatever torch or upstream raises where it cannot be made so.
    """
    if built.variant == CUDAGRAPH:
        return varied(model, "cudagraph", device)
    model.model = built.running(model.model)
    return model


def refusal(name: str, told: Raised) -> Unsupported | None:
    """Why a variant cannot be had, where it raised because a compiler cannot do it; None where judged code went wrong."""
    if isinstance(told.error, UnsupportedError):
        return told.error.why
    return Unsupported("no-operation", f"cannot be made: {told.text}", name) if refused(told.error) else None


@dataclass
class Structure:
    """A structure, what float64 on e3nn gives for it, and what rounding does to that.

    Attributes:
        operations, storing: RMS errors for u = 1 of what is computed, by quantity, element by element: from operations, and from rounded
            parameters and coordinates.
    """

    graph: Graph
    periodic: torch.Tensor
    exact: Evaluation
    operations: dict[str, torch.Tensor] = field(default_factory=dict)
    storing: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def parity(self) -> str:
        """``33 atoms, an odd number``."""
        atoms = len(self.graph["positions"])
        return f"{atoms} atom{'s' if atoms > 1 else ''}, an {'odd' if atoms % 2 else 'even'} number"

    def allowed(self, fmt: Format) -> dict[str, torch.Tensor]:
        """The largest sound distance of each quantity in a format, element by element.

        Energies of a batch are known alike for their numbers of atoms, and of vectors the noisiest element is all elements': an element's own
        scale is known from a handful of draws.
        """
        coarsest = max(fmt.roundoff[c] for c in ("product", "operation", "operand"))
        stored = 0.0 if fmt is FLOAT64 else fmt.roundoff["stored"]  # what float64 stores is what the reference has
        atoms = self.exact.atoms.to(torch.float64)
        found: dict[str, torch.Tensor] = {}
        for name in QUANTITIES:
            s = ((self.operations[name] * coarsest).square() + (self.storing[name] * stored).square()).sqrt()
            pooled = (s.square() / atoms).mean().sqrt() * atoms.sqrt() if name == "energy" else torch.full_like(s, float(s.nan_to_num().max()))
            found[name] = SIGMAS * math.sqrt(2) * pooled
        return found


def structure(model: torch.nn.Module, graph: Graph, periodic: torch.Tensor, device: torch.device, seed: int) -> Structure:
    """A structure by the float64 e3nn model.

    Raises:
        BaseException: whatever the model raises.
    """

    def values(given: Graph = graph) -> dict[str, torch.Tensor]:
        return {n: t.nan_to_num() for n, t in evaluate(model, given, device, periodic).values().items() if n in QUANTITIES}

    def stored(key: int) -> dict[str, torch.Tensor]:
        with replaced(model, lambda t: perturb(t, key)):
            return values({n: perturb(t, key) if n in MOVED else t for n, t in graph.items()})

    seeds, exact = [seed_of("variant", seed, draw) for draw in range(DRAWS)], values()
    operations, storing = (deviation(draw, exact, seeds) for draw in (disturbed(values), stored))
    of_one = ({n: t / ROUNDOFF for n, t in found.items()} for found in (operations, storing))
    return Structure(graph, periodic, evaluate(model, graph, device, periodic), *of_one)


def fewer_atoms(session: Session, system: str, graph: Graph) -> Graph | None:
    """A system, or the part of it that is computed, without the last atom of the last structure that has two; None where none has."""
    whole = session.graph(system)
    ends = graph["ptr"].tolist()
    place = next((i for i in reversed(range(len(ends) - 1)) if ends[i + 1] - ends[i] > 1), None)
    if place is None:
        return None
    if graph is not whole:
        return without(graph, ends[place + 1] - 1)
    frames = [frame[:-1] if number == place else frame for number, frame in enumerate(session.systems[system].frames)]
    return make_graph(frames, session.model.elements, session.model.r_max, session.model.heads, session.model.inputs)


def structures(session: Session, system: str, graph: Graph, periodic: torch.Tensor) -> list[Structure]:
    """A system, and the same without an atom where there is one to spare: an odd and an even number of them."""
    here, fewer = session.reference_backend, fewer_atoms(session, system, graph)
    return [structure(here.model, one, periodic, here.device, session.seed) for one in (graph, fewer) if one is not None]


def compiled(model: PolicyModel) -> str:
    """What was compiled, in words; empty of what is not watched."""
    watched = getattr(model.model, "watched", None)
    return watched.note if watched is not None else ""


def disagreement(model: PolicyModel, known: list[Structure], first: Evaluation, fmt: Format, device: torch.device, name: str) -> dict[str, Any]:
    """What calls of a model in a variant come to: fields of its record, none where all is well.

    Args:
        known: the given structure first. first: what its first call gave. name: of the backend with its variant.

    Raises:
        BaseException: whatever the model raises.
    """
    instead, worst, told = getattr(model.model, "instead", ""), 0.0, ""
    for one, call in [*((one, call) for one in known for call in range(CALLS)), (known[0], CALLS)]:
        found = first if one is known[0] and not call else evaluate(model, one.graph, device, one.periodic)
        instead = instead or getattr(model.model, "instead", "")
        for ratio, text in _distances(one, found, fmt):
            if ratio > worst:
                which = f"{ORDINALS[call]} call" if call < CALLS else "call after another number of atoms"
                worst, told = ratio, f"{which}: {text}"
    if worst > 1.0:
        return {"verdict": "fail", "reason": told, "ratio": worst if math.isfinite(worst) else None, "limit": 1.0}
    return {"verdict": "degraded", "reason": instead, "lacking": name} if instead else {"ratio": worst, "limit": 1.0}


def _distances(one: Structure, found: Evaluation, fmt: Format) -> Iterator[tuple[float, str]]:
    """How far each quantity lies from float64's, of what is allowed, and what is to be said of it."""
    allowed, values, exact = one.allowed(fmt), found.values(), one.exact.values()
    for name, unit in QUANTITIES.items():
        known = exact[name].isfinite()
        error, most = (values[name] - exact[name]).abs()[known], allowed[name][known]
        if not error.numel():
            continue
        ratios = torch.where(error == 0, torch.zeros_like(error), error / most).nan_to_num(nan=math.inf)
        at = int(ratios.argmax())
        text = f"{name} of {one.parity}, differs by {float(error[at]):.3g} {unit} from float64 on e3nn, {float(most[at]):.2g} {unit} allowed"
        yield float(ratios[at]), text
