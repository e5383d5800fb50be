"""Upstream's ASE calculator against the model that it was given: values, units, heads, types, charges, and what it forgets.

The model is wrapped, so that the tensors that the calculator hands over are judged, too: a total charge that is lost on the way changes no
result of a model that does not read it, and the next model does.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.calculator import Recording, as_it_was, calculator, model_type_of, written
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import Difference, differences, heads_of, judged, scales, structures
from mpcheck.checks.uses.results import by_getters, expected, given
from mpcheck.formats import FLOAT64
from mpcheck.records.record import Record

MOST_HEADS = 8
CHARGE, SPIN, CHARGES = -1.0, 3.0, "Qs"
UNITS = {"energy_units_to_eV": 2.0, "length_units_to_A": 0.5}
ENERGIES, PER_LENGTH, PER_VOLUME = ("energy", "free_energy", "energies"), ("forces",), ("stress",)
FACTORS = (1.0, 1.5)  # of the members of a committee


@dataclass(frozen=True)
class Door:
    """A case behind upstream's calculator."""

    case: Case

    def open(self, *models: torch.nn.Module, **options: Any) -> Any:
        """A calculator of the case's model, or of some."""
        chosen = {"default_dtype": FLOAT64.name, "model_type": model_type_of(self.case.model), "head": heads_of(self.case)[0], **options}
        return calculator(models or (self.case.model,), device=self.case.device, **chosen)

    def e0(self, graph: Tensors) -> torch.Tensor | None:
        """Energies of isolated atoms [atoms] of the head that a graph goes to."""
        block = getattr(self.case.context.reference_backend.model, "atomic_energies_fn", None)
        if block is None:
            return None
        table = torch.atleast_2d(block.atomic_energies).to(graph["positions"])
        head = int(graph["head"][0]) if "head" in graph else 0
        energies: torch.Tensor = table[head][graph["node_attrs"].argmax(1)]
        return energies

    def truth(self, frame: Atoms, model: torch.nn.Module | None = None, tensors: Mapping[str, torch.Tensor] | None = None) -> Values:
        """What the calculator must tell of a structure; tensors of its graph may be replaced."""
        graph = {**(own := self.case.graph(frame)), **{k: v for k, v in (tensors or {}).items() if k in own}}
        return expected(model or self.case.model, graph, bool(frame.pbc.all()), self.e0(graph))

    def compared(self, found: Values, wanted: Values, frame: Atoms, key: str) -> list[Difference]:
        """Results against the truth, within the noise of the reference backend."""
        reference = self.case.context.reference_backend.model
        scale = scales(self.case, lambda: self.truth(frame, reference), "calculator", key)
        aliases = {"full stress": "stress", "transposed stress": "stress"}
        told = {n: v for n, v in found.items() if aliases.get(n, n) in wanted}
        lost = {n: v for n, v in wanted.items() if n not in told and n in ("energy", "forces", "stress", "free_energy")}
        truth = {n: wanted[aliases.get(n, n)].cpu() for n in told} | lost
        return list(differences(self.case, told, truth, {n: scale[aliases.get(n, n)].cpu() for n in truth}))


def _result(w: Difference) -> str:
    return f"the calculator's {w.what} is not what it is by the model itself" + (f", by {w.size:.3g}" if math.isfinite(w.size) else "")


def ase_calculator(case: Case) -> list[Record]:
    """Findings by what is asked of the calculator."""
    door = Door(case)
    asked: dict[str, Any] = {
        "values": _values, "handed over": _handed_over, "charges by atom": _charges, "changes": _changes, "charge and spin": _recharged,
        "atomic stresses": _atomic_stresses, "heads": _heads, "units": _units, "committee": _committee,
    }  # fmt: skip
    if case.model is case.context.reference_backend.model:
        asked["file"] = _file  # to unpickle a model of cuEquivariance takes as long as to build it
    records = []
    for variant, judge in asked.items():
        with as_it_was(case.model):
            rows = attempt(lambda judge=judge: list(judge(door)))  # type: ignore[misc]  # a loop's variable, bound
        if isinstance(rows, Raised):
            records.append(case.finding(None, variant=variant, reason=f"the calculator raised {rows.text}"))
        elif rows:
            records.append(judged(case, rows, variant, _result))
        else:
            records.append(case.finding(None, variant=variant, verdict="unsupported", reason="the model gives nothing that this is about"))
    return records


def _frames(case: Case) -> dict[str, Atoms]:
    return {"crystal": structures(case)[0], "molecule": frames_of(case)["molecule"][0]}


def _values(door: Door) -> Iterator[Difference]:
    """Results, and what ASE's functions make of them, of a crystal and of a molecule."""
    for kind, frame in _frames(door.case).items():
        atoms, wanted = frame.copy(), door.truth(frame)
        atoms.calc = door.open()
        atoms.calc.calculate(atoms)
        found = given(atoms.calc.results)
        if "energy" in wanted:
            yield from door.compared(by_getters(atoms, wanted), wanted, frame, kind)
        yield from door.compared(found, wanted, frame, kind)


def _handed_over(door: Door) -> Iterator[Difference]:
    """The tensors of a charged structure with spin, and the results that a model makes of them."""
    case, frame = door.case, structures(door.case)[0].copy()
    frame.info |= {"charge": CHARGE, "spin": SPIN}
    graph = case.graph(frame)
    graph |= {n: torch.full_like(graph[n], v) for n, v in (("total_charge", CHARGE), ("total_spin", SPIN)) if n in graph}
    results = yield from _handed(door, frame, graph)
    wanted = door.truth(frame, tensors={n: graph[n] for n in ("total_charge", "total_spin") if n in graph})
    yield from door.compared(results, wanted, structures(case)[0], "crystal")


def _charges(door: Door) -> Iterator[Difference]:
    """Charges of atoms, under the key that the calculator has for them."""
    frame = structures(door.case)[0].copy()
    charges = torch.linspace(-0.5, 0.5, len(frame), dtype=torch.float64)
    frame.set_array(CHARGES, charges.numpy())
    graph = door.case.graph(frame)
    if "charges" in graph:
        yield from _handed(door, frame, {"charges": charges.to(graph["charges"])})


def _handed(door: Door, frame: Atoms, graph: Tensors) -> Generator[Difference, None, Values]:
    """What the calculator hands to the model, against tensors of a graph; returns its results."""
    spy = Recording(door.case.model)
    frame.calc = door.open(spy, charges_key=CHARGES)
    frame.calc.calculate(frame)
    own, theirs = _by_edge(graph), _by_edge(spy.graphs[-1])
    for name, value in own.items():
        # positions and cells are copied, and products of integers with cells are the same arithmetic: nothing may differ
        same = name in theirs and theirs[name].shape == value.shape and torch.equal(theirs[name].to(value), value)
        yield Difference(f"{name}, a tensor that it hands over,", 0.0 if same else math.inf, 1.0, 0.0 if same else math.nan)
    return given(frame.calc.results)


def _by_edge(graph: Tensors) -> Tensors:
    """A graph whose edges are sorted: their order says nothing."""
    if "edge_index" not in graph:
        return graph
    keys = torch.cat([graph["edge_index"].T, graph["unit_shifts"].round().long()], 1)
    order = torch.tensor(sorted(range(len(keys)), key=lambda i: keys[i].tolist()), dtype=torch.long, device=keys.device)
    moved = {"edge_index": graph["edge_index"][:, order], **{n: graph[n][order] for n in ("shifts", "unit_shifts")}}
    kept = ("positions", "node_attrs", "cell", "head", "batch", "ptr", "total_charge", "total_spin", "charges")
    return moved | {n: graph[n] for n in kept if n in graph}


def _changes(door: Door) -> Iterator[Difference]:
    """A calculator that has told of one structure, asked again after it moved, of another, and of the first."""
    first, second = structures(door.case)
    atoms, shared = first.copy(), door.open()
    atoms.calc = shared
    if "energy" not in door.truth(first):
        return
    atoms.get_potential_energy()
    atoms.positions[0] += (0.03, -0.02, 0.01)
    for step, frame in (("moved", atoms), ("other", second.copy()), ("first", first.copy())):
        frame.calc = shared
        bare = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
        wanted = door.truth(bare)
        for row in door.compared(by_getters(frame, wanted), wanted, bare, step):
            yield Difference(f"{row.what} (the structure {step})", row.ratio, row.limit, row.size)


def _recharged(door: Door) -> Iterator[Difference]:
    """The same atoms with another charge, then with another spin: what was kept for the first is of no use."""
    spy, truth = Recording(door.case.model), door.truth(structures(door.case)[0])
    shared = door.open(spy)
    for key, tensor, values in (("charge", "total_charge", (0.0, CHARGE)), ("spin", "total_spin", (1.0, SPIN))):
        for value in values:
            atoms = structures(door.case)[0].copy()
            atoms.info[key] = value
            # not by implemented_properties, which upstream's calculators of all types in a process share
            shared.get_property("forces" if "forces" in truth else "dipole", atoms)
        told = spy.graphs[-1].get(tensor)
        if told is not None and tensor in door.case.graph(structures(door.case)[0]):
            same = float(told.flatten()[0]) == values[-1]
            yield Difference(f"{tensor}, after the atoms' {key} was changed,", 0.0 if same else math.inf, 1.0, 0.0 if same else math.nan)


def _atomic_stresses(door: Door) -> Iterator[Difference]:
    frame = structures(door.case)[0].copy()
    wanted = door.truth(frame)
    if "stresses" in wanted:
        frame.calc = door.open(compute_atomic_stresses=True)
        frame.calc.calculate(frame)
        yield from door.compared(given(frame.calc.results), wanted, structures(door.case)[0], "crystal")


def _heads(door: Door) -> Iterator[Difference]:
    """Every head by its name."""
    heads = heads_of(door.case)
    for number, head in list(enumerate(heads))[:MOST_HEADS]:
        frame = structures(door.case)[0].copy()
        calc = door.open(head=head)
        calc.calculate(frame)
        wanted = door.truth(frame, tensors={"head": torch.tensor([number], device=door.case.device)})
        for row in door.compared(given(calc.results), wanted, structures(door.case)[0], "crystal"):
            yield Difference(f"{row.what} of head {head}", row.ratio, row.limit, row.size)


def _scaled(values: Mapping[str, torch.Tensor], energy: float, length: float = 1.0) -> Values:
    kinds = dict.fromkeys(ENERGIES, energy) | dict.fromkeys(PER_LENGTH, energy / length) | dict.fromkeys(PER_VOLUME, energy / length**3)
    return {n: v * kinds[n] for n, v in values.items() if n in kinds}


def _units(door: Door) -> Iterator[Difference]:
    """Powers of two, so that nothing rounds."""
    frame = structures(door.case)[0].copy()
    calc = door.open(**UNITS)
    calc.calculate(frame)
    wanted, found = _scaled(door.truth(frame), *UNITS.values()), _scaled(given(calc.results), 1.0)
    inverse = (1 / UNITS["energy_units_to_eV"], 1 / UNITS["length_units_to_A"])
    yield from door.compared(_scaled(found, *inverse), _scaled(wanted, *inverse), structures(door.case)[0], "crystal")


def _committee(door: Door) -> Iterator[Difference]:
    """Mean, members and variance of two models, of which one gives half as much again of everything."""
    case, frame = door.case, structures(door.case)[0].copy()
    calc = door.open(*(Recording(case.model, factor) for factor in FACTORS))
    calc.calculate(frame)
    truth = door.truth(frame)
    if "energy" not in truth:
        return
    mean = sum(FACTORS) / len(FACTORS)
    found = given(calc.results)
    yield from door.compared(_scaled(found, 1.0), _scaled(truth, mean), structures(case)[0], "crystal")
    for name in ("energy", "forces"):
        for number, factor in enumerate(FACTORS):
            one = {name: found[f"{name}_comm"][number]} if f"{name}_comm" in found else {}
            (row,) = door.compared(one, {name: truth[name] * factor}, structures(case)[0], "crystal")
            yield Difference(f"{name} of member {number} of a committee", row.ratio, row.limit, row.size)
    if "energy_var" in found:
        spread = {"energy": found["energy_var"].sqrt()}
        (row,) = door.compared(spread, {"energy": truth["energy"].abs() * (FACTORS[1] - FACTORS[0]) / 2}, structures(case)[0], "crystal")
        yield Difference("spread of the energy of a committee", row.ratio, row.limit, row.size)


def _file(door: Door) -> Iterator[Difference]:
    """The model from a file, as ``torch.save`` wrote it."""
    frame = structures(door.case)[0].copy()
    with tempfile.TemporaryDirectory() as folder:
        path = written(door.case.model, Path(folder))
        calc = calculator(
            (), path, device=door.case.device, default_dtype=FLOAT64.name, head=heads_of(door.case)[0], model_type=model_type_of(door.case.model)
        )
    calc.calculate(frame)
    yield from door.compared(given(calc.results), door.truth(frame), structures(door.case)[0], "crystal")
