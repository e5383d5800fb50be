"""Upstream's ASE calculator against the model that it was given: values, units, heads, types, charges, and what it forgets.

The model is wrapped, so that the tensors that the calculator hands over are judged, too: a total charge that is lost on the way changes no
result of a model that does not read it, and the next model does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.calculator import Recording, as_it_was, calculator, model_type_of, written
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.uses import surroundings, units
from mpcheck.checks.uses.asking import Difference, heads_of, judged, structures
from mpcheck.checks.uses.door import Door, same, told
from mpcheck.checks.uses.handing import CHARGES, handed
from mpcheck.checks.uses.results import by_getters, given
from mpcheck.formats import FLOAT64
from mpcheck.records.record import Record

MOST_HEADS = 8
CHARGE, SPIN = -1.0, 3.0
TOLD_BY_ASE = ("energy", "free_energy", "forces", "stress")
FACTORS = (1.0, 1.5)  # of the members of a committee
Judge = Callable[[Door], Iterator[Difference]]


def ase_calculator(case: Case) -> list[Record]:
    """Findings by what is asked of the calculator."""
    return [judge(case, variant) for variant in ASKED if variant != FILE or case.model is case.context.reference_backend.model]


def judge(case: Case, variant: str, among: Mapping[str, Judge] | None = None) -> Record:
    """One finding.

    Args:
        variant: what is asked, of ``among``; of :data:`ASKED` where it is not given.
    """
    asked = (ASKED if among is None else among)[variant]
    with as_it_was(case.model):
        rows = attempt(lambda: list(asked(Door(case))))
    if isinstance(rows, Raised):
        return case.finding(None, variant=variant, reason=f"the calculator raised {rows.text}")
    if rows:
        return judged(case, rows, variant, told)
    return case.finding(None, variant=variant, verdict="unsupported", reason="the model gives nothing that this is about")


def _frames(case: Case) -> dict[str, Atoms]:
    return {"crystal": structures(case)[0], "molecule": frames_of(case)["molecule"][0]}


def _values(door: Door) -> Iterator[Difference]:
    """Results, and what ASE's functions make of them, of a crystal and of a molecule."""
    for kind, frame in _frames(door.case).items():
        atoms, wanted = frame.copy(), door.truth(frame)
        atoms.calc = door.open()
        atoms.calc.calculate(atoms)
        found = given(atoms.calc.results)
        yield from door.compared(found, wanted, frame, kind)
        if "energy" in wanted and all(n in found for n in (*TOLD_BY_ASE, "energies") if n in wanted):
            yield from door.compared(by_getters(atoms, wanted), wanted, frame, kind, TOLD_BY_ASE)


def _handed_over(door: Door) -> Iterator[Difference]:
    """The tensors of a charged structure with spin, and the results that a model makes of them."""
    case, frame = door.case, structures(door.case)[0].copy()
    frame.info |= {"charge": CHARGE, "spin": SPIN}
    graph = case.graph(frame)
    graph |= {n: torch.full_like(graph[n], v) for n, v in (("total_charge", CHARGE), ("total_spin", SPIN)) if n in graph}
    results = yield from handed(door, frame, graph)
    wanted = door.truth(frame, tensors={n: graph[n] for n in ("total_charge", "total_spin") if n in graph})
    yield from door.compared(results, wanted, structures(case)[0], "crystal")


def _charges(door: Door) -> Iterator[Difference]:
    """Charges of atoms, under the key that the calculator has for them."""
    frame = structures(door.case)[0].copy()
    charges = torch.linspace(-0.5, 0.5, len(frame), dtype=torch.float64)
    frame.set_array(CHARGES, charges.numpy())
    graph = door.case.graph(frame)
    if "charges" in graph:
        yield from handed(door, frame, {"charges": charges.to(graph["charges"])})


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
        for row in door.compared(by_getters(frame, wanted), wanted, bare, step, TOLD_BY_ASE):
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
        given_on = spy.graphs[-1].get(tensor)
        if given_on is not None and tensor in door.case.graph(structures(door.case)[0]):
            yield same(float(given_on.flatten()[0]) == values[-1], f"{tensor}, after the atoms' {key} was changed,")


def _atomic_stresses(door: Door) -> Iterator[Difference]:
    frame = structures(door.case)[0].copy()
    wanted = door.truth(frame)
    if "stresses" in wanted:
        frame.calc = door.open(compute_atomic_stresses=True)
        frame.calc.calculate(frame)
        yield from door.compared(given(frame.calc.results), wanted, structures(door.case)[0], "crystal", tuple(wanted))


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


def _head_changed(door: Door) -> Iterator[Difference]:
    """A calculator that is told another head: what was kept for the first is of no use."""
    heads = heads_of(door.case)
    frame = structures(door.case)[0]
    first = door.truth(frame)
    if len(heads) < 2 or "energy" not in first:
        return
    atoms, calc = frame.copy(), door.open(head=heads[0])
    atoms.calc = calc
    atoms.get_potential_energy()
    calc.head = heads[1]
    found = {"energy": torch.tensor(atoms.get_potential_energy(), dtype=torch.float64)}
    second = door.truth(frame, tensors={"head": torch.tensor([1], device=door.case.device)})
    rows, theirs = (door.compared(found, {"energy": one["energy"]}, frame, "crystal", ("energy",)) for one in (second, first))
    yield from units.explained(rows, lambda: theirs, "which is still that of the head before")


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
    wanted = units.scaled(truth, mean)
    wanted.pop("node_energy", None)  # E0 is taken off the mean, and the members have it in common
    yield from door.compared(units.scaled(found, 1.0), wanted, structures(case)[0], "crystal")
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


FILE = "file"
ASKED: Mapping[str, Judge] = {
    "values": _values, "handed over": _handed_over, "charges by atom": _charges, "periodicity": surroundings.periodicity,
    "padding": surroundings.padding, "changes": _changes, "charge and spin": _recharged, "head changed": _head_changed,
    "atomic stresses": _atomic_stresses, "heads": _heads, "units": units.energy_units, "units of node_energy": units.node_energy_units,
    "units of length": units.length_units, "units of virials": units.virial_units, "committee": _committee,
    FILE: _file,  # to unpickle a model of cuEquivariance takes as long as to build it
}  # fmt: skip
"""By variant."""
