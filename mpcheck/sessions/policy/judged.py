"""One policy on one system and backend: whether it runs as it says, what it errs by, and whether that is what was predicted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._text import listed
from mpcheck._unsupported import Unsupported
from mpcheck.formats import F64, NARROW
from mpcheck.policy.judging.errors import ErrorReport, judge_errors
from mpcheck.policy.judging.reference import float64_here
from mpcheck.policy.judging.structures import JUDGED, Kind, Sets
from mpcheck.policy.noise.bisect import Blame
from mpcheck.policy.noise.prediction import Prediction
from mpcheck.policy.rules import Policy
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.policy.running.confirm import faults
from mpcheck.records.policy_figures import PolicyErrors
from mpcheck.records.record import Planned, Record
from mpcheck.records.typed_figures import finite
from mpcheck.records.verdicts import Verdict
from mpcheck.sessions.policy.counting import cost
from mpcheck.sessions.policy.guilty import guilty
from mpcheck.sessions.policy.study import Study

FORCES, ENERGY, STRESS = "forces", "energy", "stress"
LIMITS = {FORCES: 1.3, STRESS: 1.3, ENERGY: 1.5}
"""Of measured by predicted error. Round-to-nearest errs by 0.7 of the uniform error that predictions draw; an energy is one number a structure,
so that its ratio scatters like a normal deviate over few structures."""
APPLIED, FLOAT64, FINITE, PARITY = "applied", F64, "finite", "parity"
MOST_OFFSET = 8.0
"""Standard errors of a median that an offset between odd and even structures may have. Sound policies reach 4 on water and solvents, for odd
structures are of another composition; a padded reduction adds a whole atom's energy."""
FLIPS = 0.05
"""Of the emulated error of an energy: another order of a sum flips single roundings, in some structures and not in others, and where nothing else
is left they are all the scatter. Measured: 0.002 on methanol with int8 weights and float16, where 20 of 24 structures are emulated to the bit."""


def judged(study: Study, policy: Policy, planned: Planned) -> list[Record]:
    """All records of a piece.

    Raises:
        BaseException: whatever the judged code raises where that is no result of its own.
    """
    about = {k: v for k, v in planned.about.items() if k != "variant"}
    try:
        made = study.applied(policy, planned.backend)
    except InputError as error:
        return [Record(**about, verdict="unsupported", reason=f"refused: {error}", variant=APPLIED)]
    if isinstance(made, Unsupported):
        return [Record(**about, verdict="unsupported", reason=made.text, lacking=made.lacking, variant=APPLIED)]
    return [*_records(study, policy, made, about)]


def _records(study: Study, policy: Policy, made: PolicyModel, about: dict[str, Any]) -> Iterator[Record]:
    backend = str(about["backend"])
    original = made_of(study, backend)
    wrong = faults(made, original, study.session.graph(study.system), study.plain(policy, backend))
    first = next(iter(wrong), "")
    reason = "; ".join(f"{block}: {told}" for block, told in list(wrong.items())[:3]) + (f"; so do {len(wrong) - 3} more" if len(wrong) > 3 else "")
    yield Record(
        **about, variant=APPLIED, verdict="fail" if wrong else "pass", reason=reason, block="" if first == "model" else first,
        note=" · ".join((policy.title, *made.notes)),
    )  # fmt: skip
    yield cost(study, made, about)
    predicted = study.predicted(policy, backend)
    known = dict(zip(study.sets.places(*JUDGED), predicted.known.tolist(), strict=True))
    report = judge_errors(made, study.session.model, study.sets, study.reference, study.session.device, known)
    if policy.base == F64 and not policy.rules:
        moved = float64_here(made, study.session.model, study.sets, study.reference)
        yield Record(**about, variant=FLOAT64, verdict="fail" if moved else "pass", reason=moved)
        yield _finite(report, predicted, policy, about, {})
        return
    yield _finite(report, predicted, policy, about, foreseen(study.sets, predicted))
    if policy.energies == "apart":
        yield from _parity(report, predicted, about)
    yield from _ratios(report, predicted, about, lambda quantity, most: guilty(study, policy, backend, quantity, most))


def made_of(study: Study, backend: str) -> torch.nn.Module:
    """A backend's own float64 model."""
    built: Any = study.session.backend(backend)  # it was applied
    model: torch.nn.Module = built.model
    return model


def foreseen(sets: Sets, predicted: Prediction) -> Counter[Kind]:
    """Of how many structures of each kind the emulation has an energy that is no number: a sum over more atoms than the format holds, say."""
    kinds: dict[int, Kind] = {place: one.kind for one in sets.sets for place in sets.places(one.kind)}
    lost = [place for place, energy in zip(sets.places(*JUDGED), predicted.energy.tolist(), strict=True) if not math.isfinite(energy)]
    return Counter(kinds[place] for place in lost)


def _finite(report: ErrorReport, predicted: Prediction, policy: Policy, about: dict[str, Any], lost_anyway: Mapping[Kind, int]) -> Record:
    """Whether everything is a number. Where values are larger than a format holds, that is the format's limit and no fault.

    Args:
        lost_anyway: see :func:`foreseen`.
    """
    lost = [f"{label}: no numbers in float64 itself" for label in report.float64_lost]
    changed = [f"{e.kind}: {e.absent}" for e in report.equivariance if e.absent]
    told = [*report.raised, *(n.text for n in report.nonfinite), *changed, *lost]
    block = next((n.first.block for n in report.nonfinite if n.first is not None), "")
    if not told:
        return Record(**about, variant=FINITE, verdict="pass", detail=figures(report, predicted))
    narrow = policy.autocast in NARROW or policy.base in NARROW or any(r.compute in NARROW for r in policy.rules)
    ours = [n for n in report.nonfinite if n.kind not in ("contacts", "diatomics") and n.structures > lost_anyway.get(n.kind, 0)]
    beyond = narrow and not report.raised and not lost and (predicted.overflowing or not (ours or changed))
    why = f"values beyond what 16 bits hold in {listed(predicted.overflowing, 2)}: " if predicted.overflowing else ""
    verdict: Verdict = "unsupported" if beyond else "fail"
    return Record(
        **about, variant=FINITE, verdict=verdict, reason=why + "; ".join(told[:2]), block=block, detail=figures(report, predicted)
    )  # fmt: skip


def _parity(report: ErrorReport, predicted: Prediction, about: dict[str, Any]) -> Iterator[Record]:
    """Whether the energy's error has an offset where the number of atoms is odd, as a padded reduction makes it (pytorch issue 178871).

    What is rounded alike in equal atoms is no offset of a reduction: of a crystal whose atoms each err by 40 meV, copies that lack one err by
    40 meV less, and scatter by 3. What 16 and fewer bits make of each structure is emulated, and taken off; float32's part is drawn.
    """
    found = report.parity
    if found is None or found.offset_meV is None or found.scatter_meV is None or found.scatter_meV <= 0:
        return
    alike = found.atoms * (finite(predicted.chance_rms) or 0.0)
    flips = FLIPS * (finite(predicted.known_rms) or 0.0)
    ratio = abs(found.offset_meV) / math.hypot(found.scatter_meV, alike, flips)
    reason = (
        f"energies of odd structures are off by {found.offset_meV:.3g} meV against even ones, which scatter by {found.scatter_meV:.2g};"
        f" {found.atoms:g} atoms more err by {alike:.2g}"
    )
    yield Record(
        **about,
        variant=PARITY,
        verdict="fail" if not ratio <= MOST_OFFSET else "pass",
        ratio=finite(ratio),
        limit=MOST_OFFSET,
        reason=reason if not ratio <= MOST_OFFSET else "",
    )


def _ratios(report: ErrorReport, predicted: Prediction, about: dict[str, Any], blame: Callable[[str, float], Blame | None]) -> Iterator[Record]:
    """Measured by predicted error, quantity by quantity; where it is too large, the block that makes it so."""
    found = report.judged
    pairs = {
        FORCES: (found.force_rms_meV_per_A if found else None, predicted.force_rms, "meV/Å"),
        ENERGY: (found.energy_meV_per_atom.rms if found else None, predicted.energy_rms, "meV/atom"),
        STRESS: (found.stress_meV_per_A3.rms if found else None, predicted.stress_rms, "meV/Å³"),
    }
    for name, (measured, promised, unit) in pairs.items():
        if measured is None or math.isnan(promised):
            continue
        if not math.isfinite(promised) or promised <= 0:
            yield Record(**about, variant=name, verdict="unsupported", reason="range: values on the way are larger than the format holds")
            continue
        ratio, limit = measured / promised, LIMITS[name]
        if ratio <= limit:
            yield Record(**about, variant=name, verdict="pass", ratio=ratio, limit=limit)
            continue
        reason, found_by = f"RMS error of {name} {measured:.3g} {unit}, predicted {promised:.3g}", blame(name, limit)
        block = found_by.blocks[0] if found_by is not None and found_by.blocks else ""
        told = reason if found_by is None else f"{reason}; {found_by.text}"
        yield Record(**about, variant=name, verdict="fail", ratio=ratio, limit=limit, reason=told, block=block)


def figures(report: ErrorReport, predicted: Prediction) -> PolicyErrors:
    """All that people may ask for."""
    found = report.judged
    own: dict[str, Any] = {}
    if found is not None:
        worst = found.worst_atom
        own = {
            "structures": float(found.structures), "atoms": float(found.atoms),
            "energy_meV_per_atom": found.energy_meV_per_atom.rms, "energy_mean_meV_per_atom": found.energy_meV_per_atom.mean,
            "energy_p95_meV_per_atom": found.energy_meV_per_atom.p95, "energy_relative": found.energy_relative.mean,
            "interaction_meV_per_atom": found.interaction_meV_per_atom.rms, "interaction_relative": found.interaction_relative.mean,
            "force_meV_per_A": found.force_rms_meV_per_A, "force_mean_meV_per_A": found.force_meV_per_A.mean,
            "force_p95_meV_per_A": found.force_meV_per_A.p95, "force_relative": found.force_relative.mean, "force_cosine": found.cosine_mean,
            "force_worst_meV_per_A": worst.error_meV_per_A if worst else None,
            "worst_atom": f"{worst.element} {worst.atom} of {worst.structure}" if worst else None,
            "stress_GPa": found.stress_GPa.rms, "stress_meV_per_A3": found.stress_meV_per_A3.rms,
        }  # fmt: skip
    turned = [e.force_meV_per_A for e in report.equivariance if e.force_meV_per_A is not None]
    jumps = [r.energy_jump_meV for r in report.diatomics if r.energy_jump_meV is not None]
    own |= {
        "predicted_energy_meV_per_atom": finite(predicted.energy_rms), "predicted_force_meV_per_A": finite(predicted.force_rms),
        "predicted_stress_meV_per_A3": finite(predicted.stress_rms),
        "contact_force_meV_per_A": report.contacts.force_rms_meV_per_A if report.contacts else None,
        "hessian_relative": report.second_derivatives.relative_error if report.second_derivatives else None,
        "rotation_meV_per_A": max(turned, default=None), "roughness_jump_meV": max(jumps, default=None),
        "roughness_turned": float(sum(r.turned or 0 for r in report.diatomics)) if report.diatomics else None,
    }  # fmt: skip
    refused = dict.fromkeys(found.refused if found is not None else ())
    told = [*report.notes, *refused, *report.raised, *(n.text for n in report.nonfinite)]
    return PolicyErrors(**own, told=told or None)
