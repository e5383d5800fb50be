"""What the checks of physics share: a structure, a whole float64 model, its outputs and their noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from ase import Atoms

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Context, Key
from mpcheck.judge.metrics import bits_digest, widened
from mpcheck.judge.refusing import refused
from mpcheck.judge.scale import UNIFORM_SPREAD
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.records.verdicts import Verdict
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

MOST_ATOMS = 512  # of a structure whose derivatives are taken numerically: some seconds on a CPU
DRAWS = 4  # of Monte Carlo arithmetic; a scalar's scale is then known to a third, which SIGMAS covers
SIGMAS = 6.0  # a normal deviate exceeds six standard deviations twice in 10^9
SKIN = 0.3  # Å that the list of edges is longer than r_max, so that a structure may be strained without a new list

FOLLOWING = ("edge_index", "shifts", "unit_shifts", "batch", "ptr", "cell", "node_attrs")
"""Tensors of a graph of one system that are the same wherever its positions are."""

Values = dict[str, torch.Tensor]
_noises: WeakKeyDictionary[Context, dict[tuple[str, str, str], Values]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Case:
    """One property of one backend on one system.

    Attributes:
        model: the backend's whole model in float64.
        frame: the structure; None where the property makes its own.
        head: that findings name, where the property is judged for others besides the structure's own.
    """

    context: Context
    key: Key
    model: torch.nn.Module
    device: torch.device
    frame: Atoms | None = None
    head: str = ""

    @property
    def atoms(self) -> Atoms:
        """The structure of a property that has one."""
        assert self.frame is not None, f"{self.key.id} needs a structure"
        return self.frame

    def graph(self, *frames: Atoms, skin: float = 0.0) -> Tensors:
        """Tensors of structures as upstream's neighbour list makes them, on the device."""
        model = self.context.model
        made = make_graph(frames, model.elements, model.r_max + skin, model.heads, model.inputs)
        return {k: v.to(self.device) for k, v in made.items()}

    def finding(
        self, ratio: float | None, *, limit: float = 1.0, variant: str = "", reason: str = "", worst: str = "",
        metrics: Mapping[str, float | str | bool] | None = None, verdict: Verdict | None = None, block: str = "",
    ) -> Record:  # fmt: skip
        """A finding on this property; fails where the ratio is above the limit, or no number. ``block``: whom a failure blames."""
        variant = ", ".join(filter(None, [variant, self.head and f"head {self.head}"]))
        sound = ratio is not None and ratio <= limit
        chosen: Verdict = verdict or ("pass" if sound else "fail")
        number = None if ratio is None or not math.isfinite(ratio) else ratio
        return Record(
            check=self.key.check, subject=self.key.subject, backend=self.key.backend, format=FLOAT64.name, system=self.key.system,
            variant=variant, verdict=chosen, block="" if chosen == "pass" else block, reason="" if chosen == "pass" else reason,
            ratio=number, limit=limit,
            detail=figures({k: (v if not isinstance(v, float) or math.isfinite(v) else str(v)) for k, v in (metrics or {}).items()}), worst=worst,
        )  # fmt: skip


def case_of(context: Context, key: Key) -> Case | Record:
    """A property of a backend's whole model; the record that says why there is none to judge."""
    backend = context.backend(key.backend)
    if isinstance(backend, Unsupported):
        return refused(key.about, backend)
    if (model := backend.module(WHOLE)) is None:
        return refused(key.about, Unsupported("not-applicable", f"backend {key.backend} has no whole model"))
    return Case(context, key, model, backend.device)


def evaluate(model: torch.nn.Module, graph: Tensors, **flags: bool) -> Values:
    """A model's outputs, detached: energy [graphs] in eV, node_energy [atoms], forces [atoms, 3] in eV/Å, and by flag
    virials [graphs, 3, 3] in eV, stress [graphs, 3, 3] in eV/Å^3, edge_forces [edges, 3], atomic_virials [atoms, 3, 3].

    Args:
        flags: of upstream's forward: ``compute_force``, ``compute_virials``, ``compute_stress``, ``compute_atomic_stresses`` …
    """
    data = {k: v.clone() for k, v in graph.items()}  # upstream writes into the dictionary and asks for gradients
    with torch.set_grad_enabled(flags.get("compute_force", True)):
        out: dict[str, Any] = model(data, **flags)
    return _Outputs({k: v.detach() for k, v in out.items() if isinstance(v, torch.Tensor)})


class _Outputs(Values):
    """Outputs of a model that say which of them there is none of."""

    def __missing__(self, name: str) -> torch.Tensor:
        raise ValueError(f"the model gives no {name}: it is None or missing")


def energies(model: torch.nn.Module, graph: Tensors) -> torch.Tensor:
    """Energies [graphs] in eV."""
    return evaluate(model, graph, compute_force=False)["energy"]


def choose_frame(frames: list[Atoms], accept: Callable[[Atoms], bool] = lambda _: True) -> Atoms | str:
    """The structure with most elements, and of those the smallest; the reason where none will do."""
    fitting = [f for f in frames if len(f) > 1 and accept(f)]
    if not fitting:
        return "no structure of two atoms or more for this property"
    frame = min(fitting, key=lambda f: (-len(set(f.get_chemical_symbols())), len(f)))
    if len(frame) > MOST_ATOMS:
        return f"the structure has {len(frame)} atoms; numerical derivatives are taken of {MOST_ATOMS} at most"
    return frame


def with_cell(graph: Tensors, frame: Atoms) -> Tensors:
    """The graph with the structure's own cell, where upstream's neighbour list put the one that it searched."""
    cell = torch.as_tensor(np.array(frame.cell), dtype=torch.float64, device=graph["positions"].device)
    return {**graph, "cell": cell}


def degenerate(case: Case, graph: Tensors, forces: torch.Tensor, resolution: float) -> str | None:
    """Why a structure cannot show a wrong force; None where it can.

    Args:
        forces: [atoms, 3]; resolution: the error in eV/Å that the property can resolve.
    """
    if not float(forces.abs().max()) > resolution:
        return f"degenerate: every force is below the resolution of {resolution:.1e} eV/Å"
    if len(case.context.model.elements) > 1 and int((graph["node_attrs"].sum(0) > 0).sum()) < 2:
        return "degenerate: one element only, so that mixed-up elements would not show"
    neighbours = torch.bincount(graph["edge_index"][1], minlength=1)
    if int(neighbours.max()) < 2:
        return "degenerate: no atom has two neighbours, so that sums over neighbours would not show"
    return None


def quantities(out: Values, graph: Tensors) -> Values:
    """Outputs and what follows from them: ``closure`` (energy less the sum of node energies, eV), ``net`` force (eV/Å) and
    ``torque`` about the origin (eV), each [graphs] or [graphs, 3].
    """
    batch, count = graph["batch"], out["energy"].shape[0]

    def total(rows: torch.Tensor) -> torch.Tensor:
        return torch.zeros(count, *rows.shape[1:], dtype=torch.float64, device=rows.device).index_add_(0, batch, rows.to(torch.float64))

    values = {"energy": out["energy"], "node_energy": out["node_energy"], "forces": out["forces"]}
    values["closure"] = out["energy"] - total(out["node_energy"])
    values["net"] = total(out["forces"])
    values["torque"] = total(torch.linalg.cross(graph["positions"], out["forces"]))
    return values | {k: out[k] for k in ("virials", "atomic_virials") if k in out}


def noise(case: Case, graph: Tensors, purpose: str = "") -> Values:
    """RMS rounding error of every quantity, element by element, in float64: that of the reference backend, so that a faulty
    backend cannot widen what it is judged by. Measured once for all backends.

    Args:
        purpose: tells graphs of one system apart.
    """
    held = _noises.setdefault(case.context, {})
    place = (case.key.system, purpose, " ".join(bits_digest(graph[k]) for k in sorted(graph) if k not in FOLLOWING))
    if place not in held:
        seed = seed_of("physics", case.context.seed, case.key.system, purpose)
        held[place] = measure_noise(case.context.reference_backend.model, graph, seed)
    return held[place]


def measure_noise(model: torch.nn.Module, graph: Tensors, seed: int, draws: int = DRAWS) -> Values:
    """RMS deviation of every quantity of a model on a graph under Monte Carlo arithmetic, for float64's roundoff."""

    def values() -> Values:
        return quantities(evaluate(model, graph, compute_virials=True), graph)

    return deviation(disturbed(values), values(), [seed_of(seed, draw) for draw in range(draws)])


def rms(x: torch.Tensor) -> float:
    """Root of the mean square; 0 of an empty tensor."""
    return math.sqrt(float(x.detach().to(torch.float64).square().mean())) if x.numel() else 0.0


def difference_ratio(one: torch.Tensor, other: torch.Tensor, scale: torch.Tensor) -> float:
    """RMS difference of two computed tensors in units of what both roundings together make: sqrt(2) times one's scale.

    Where no operation of the reference rounds, by a roundoff of the value: other sound code may round there. Two neighbours of the format are
    told apart by nothing: what lies between them is rounded to either, by a step that is 3.5 times the RMS of one rounding.
    """
    step = (one - other).abs()
    largest = torch.maximum(one.abs(), other.abs())
    step = torch.where(step <= torch.nextafter(largest, torch.full_like(largest, math.inf)) - largest, 0.0, step)
    difference, allowed = rms(step), math.sqrt(2.0) * rms(scale) or ROUNDOFF * rms(other)
    if difference == 0.0:
        return 0.0
    return difference / allowed if allowed > 0 else math.inf


def limit_of(case: Case, elements: int) -> float:
    """The universal limit on an RMS ratio, for a tensor of so many independent elements and a scale known from a few draws."""
    scatter = UNIFORM_SPREAD**2 / max(1, elements) + 2 / (max(1, elements) * DRAWS)
    return widened(case.context.tolerances.universal.rms, math.sqrt(scatter))
