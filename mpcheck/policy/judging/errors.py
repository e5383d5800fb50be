"""What a policy costs in accuracy, end to end: every figure of one model under it against the float64 reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.adapters.load import LoadedModel
from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import Batch, evaluate_all, graph_of, selected
from mpcheck.policy.judging.diatomics import Roughness, roughness
from mpcheck.policy.judging.equivariance import EquivarianceError, equivariance
from mpcheck.policy.judging.force_tests import ForceTests, force_tests
from mpcheck.policy.judging.metrics import MILLI, SetErrors, nonfinite_in, set_errors
from mpcheck.policy.judging.nonfinite import FirstNonFinite, first_nonfinite
from mpcheck.policy.judging.reference import WholeReference
from mpcheck.policy.judging.second_derivatives import SecondDerivatives, second_derivatives
from mpcheck.policy.judging.structures import JUDGED, Kind, Sets

MOST_ALONE = 24
"""Structures that are tried by themselves for a value that is no number."""
SPREAD = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


@dataclass(frozen=True)
class Parity:
    """Whether the energy's error depends on the number of atoms being odd, as a padded reduction makes it (pytorch issue 178871).

    What errs alike in all atoms of an element has such an offset, too: structures of another parity are of another composition. It is known
    beforehand, and taken off.

    Attributes:
        offset_meV: median error of energies of odd structures less that of even ones; scatter_meV: its standard error, by medians.
            Both None where one of the two is missing.
        odd, even: structures. atoms: by how many the median structures differ; the error of so many is no offset.
    """

    offset_meV: float | None
    scatter_meV: float | None
    odd: int
    even: int
    atoms: float = 0.0


@dataclass(frozen=True)
class NonFiniteValue:
    """A structure with values that are no numbers, and the block that made the first of them where it was found.

    Attributes:
        structures: how many of this kind. label: of the first of them.
    """

    kind: Kind
    label: str
    structures: int
    first: FirstNonFinite | None
    text: str


@dataclass(frozen=True)
class ErrorReport:
    """Errors of a whole model under a policy.

    Attributes:
        judged: over the user's structures, copies and supercells; contacts: over close contacts; None where there are none or nothing ran.
        equivariance: of one structure. nonfinite: by kind of structures. raised: what the model raised, each once.
        refused: why the model could not be made; nothing else is there then. float64_lost: judged structures without numbers in float64 itself.
        notes: what was left out.
    """

    judged: SetErrors | None = None
    contacts: SetErrors | None = None
    parity: Parity | None = None
    diatomics: tuple[Roughness, ...] = ()
    second_derivatives: SecondDerivatives | None = None
    equivariance: tuple[EquivarianceError, ...] = ()
    nonfinite: tuple[NonFiniteValue, ...] = ()
    raised: tuple[str, ...] = ()
    refused: str = ""
    float64_lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether everything ran and every value is a number, where float64 has one."""
        lost = self.nonfinite or self.float64_lost or any(e.absent for e in self.equivariance)
        return not (lost or self.raised or self.refused) and self.judged is not None

    def fields(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def figures(self) -> dict[str, float]:
        """The figures that there are, by flat names with units: ``judged_energy_meV_per_atom_mean``, ``rotation_force_meV_per_A`` …"""
        found: dict[str, Any] = {}
        for name, errors in (("judged", self.judged), ("contacts", self.contacts)):
            found |= _flat(name, asdict(errors)) if errors is not None else {}
        found |= _flat("second", asdict(self.second_derivatives)) if self.second_derivatives is not None else {}
        found |= _flat("parity", asdict(self.parity)) if self.parity is not None else {}
        for change in self.equivariance:
            found |= _flat(change.kind, asdict(change))
        for scan in self.diatomics:
            found |= _flat(scan.pair, asdict(scan))
        return found


def _flat(name: str, value: Any) -> dict[str, float]:
    """Numbers of nested mappings, under names joined by underscores; None and words are left out."""
    if isinstance(value, dict):
        return {k: n for key, item in value.items() for k, n in _flat(f"{name}_{key}", item).items()}
    return {name: float(value)} if isinstance(value, (int, float)) else {}


@neutral()
def judge_errors(
    model: torch.nn.Module | Callable[[], torch.nn.Module], loaded: LoadedModel, sets: Sets, reference: WholeReference,
    device: torch.device | str = "cpu", known: Mapping[int, float] | None = None,
) -> ErrorReport:  # fmt: skip
    """Every figure of a model under a policy; what it raises, and values that are no numbers, are results.

    Args:
        model: on the device, or what makes it. loaded: the float64 model, for its elements and cut-off. sets: structures that the reference
            is of. known: error of a structure's energy that is told beforehand, meV, by its place; where an odd number of atoms shows is asked of
            the rest.

    Raises:
        KeyboardInterrupt: nothing else.
    """
    made = model if isinstance(model, torch.nn.Module) else attempt(model)
    if isinstance(made, Raised):
        return ErrorReport(refused=made.text, notes=sets.notes)
    whole = made
    raised: list[str] = []

    def failed(batch: Batch, error: Raised) -> None:
        raised.append(f"{error.text} ({sets.labels[batch.places[0]]}{' and others' if len(batch.places) > 1 else ''})")

    found = evaluate_all(whole, reference.every, device, failed)
    exact = reference.evaluation
    tests = force_tests(sets, exact)
    equivariant = attempt(lambda: _equivariance(whole, loaded, sets, found, tests, device))
    if isinstance(equivariant, Raised):
        raised.append(f"{equivariant.text} (a structure turned, shifted or batched)")
        equivariant = []
    second = second_derivatives(found, exact, sets) if sets.places("displaced") else None
    lost = tuple(sets.labels[p] for p in _lost_in_float64(exact) if p in sets.places(*JUDGED))
    return ErrorReport(
        _errors(found, exact, sets, tests, *JUDGED), _errors(found, exact, sets, tests, "contacts"), _parity(found, exact, sets, known or {}),
        tuple(roughness(found, exact, sets)), second, tuple(equivariant), tuple(_nonfinite(whole, loaded, sets, found, exact, reference, device)),
        tuple(dict.fromkeys(raised)), float64_lost=lost, notes=sets.notes,
    )  # fmt: skip


def _errors(found: Evaluation, exact: Evaluation, sets: Sets, tests: ForceTests, *kinds: Kind) -> SetErrors | None:
    places = sets.places(*kinds)
    return set_errors(found, exact, sets, places, tests) if places else None


def _parity(found: Evaluation, exact: Evaluation, sets: Sets, known: Mapping[int, float]) -> Parity:
    places = torch.tensor(sets.places("own", "rattled", "fewer"), dtype=torch.long)  # a supercell's error is that of its size
    told = torch.tensor([known.get(int(place), 0.0) / MILLI for place in places], dtype=torch.float64)
    error = (found.energy - exact.energy)[places] - told
    odd = exact.atoms[places] % 2 == 1
    two = [error[odd], error[~odd]]
    counts = [len(e) for e in two]
    if not all(counts) or not bool(error.isfinite().all()):
        return Parity(None, None, *counts)
    medians = [float(e.median()) for e in two]
    rest = torch.cat([e - m for e, m in zip(two, medians, strict=True)]).abs()
    scatter = SPREAD * float(rest.median()) * math.sqrt(sum(1.0 / n for n in counts))
    sizes = [float(exact.atoms[places][own].double().median()) for own in (odd, ~odd)]
    return Parity((medians[0] - medians[1]) * MILLI, scatter * MILLI, counts[0], counts[1], abs(sizes[0] - sizes[1]))


def _equivariance(
    model: torch.nn.Module, loaded: LoadedModel, sets: Sets, found: Evaluation, tests: ForceTests, device: torch.device | str
) -> list[EquivarianceError]:
    """Of the first of the user's structures that is a test of forces, of a copy where none is."""
    fitting = [p for p in sets.places("own", "rattled") if p not in tests.refused]
    place = next(iter(fitting), 0)
    other = next((p for p in sets.places("rattled", "own") if p != place), place)
    before = selected(found, [place])
    if place not in sets.places("own"):  # what a batch gave need not be what the model gives alone
        graph, periodic = graph_of([sets.frames[place]], loaded)
        before = evaluate_all(model, [Batch(graph, periodic, (0,))], device)
    return equivariance(model, loaded, sets.frames[place], before, sets.frames[other], device)


def _lost_in_float64(exact: Evaluation) -> list[int]:
    """Structures whose energy or forces are no numbers there."""
    return sorted({*torch.nonzero(~exact.energy.isfinite()).reshape(-1).tolist(), *exact.batch[~exact.forces.isfinite().all(1)].tolist()})


def _nonfinite(
    model: torch.nn.Module, loaded: LoadedModel, sets: Sets, found: Evaluation, exact: Evaluation, reference: WholeReference,
    device: torch.device | str,
) -> list[NonFiniteValue]:  # fmt: skip
    lost = {int(p) for bad in nonfinite_in(found, exact).values() for p in torch.nonzero(bad).reshape(-1)}
    values = []
    for one in sets.sets:
        places = [p for p in sets.places(one.kind) if p in lost]
        if not places:
            continue
        blamed = attempt(lambda places=places: _first(model, loaded, sets, places, reference.every, device))  # type: ignore[misc]  # bound
        place, first = (places[0], None) if isinstance(blamed, Raised) else blamed
        where = first.text if first is not None else "every block's own results are numbers: what is not was made between or behind them"
        where = f"its blocks cannot be watched ({blamed.text})" if isinstance(blamed, Raised) else where
        text = f"{len(places)} of {len(one.frames)} ({one.kind}): values that are no numbers, first {sets.labels[place]}: {where}"
        values.append(NonFiniteValue(one.kind, sets.labels[place], len(places), first, text))
    return values


def _first(
    model: torch.nn.Module, loaded: LoadedModel, sets: Sets, places: Sequence[int], every: Sequence[Batch], device: torch.device | str
) -> tuple[int, FirstNonFinite | None]:
    """Of the first structure that has them alone, for they spread over a batch; of a whole batch where none has."""
    for place in places[:MOST_ALONE]:
        graph, periodic = graph_of([sets.frames[place]], loaded)
        if first := first_nonfinite(model, graph, device, periodic):
            return place, first
    batch = next(b for b in every if places[0] in b.places)
    return places[0], first_nonfinite(model, batch.graph, device, batch.periodic)
