"""The answer, before any table: which policies are safe for this model and structure, what the fastest costs and gains, what to type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._names import POLICY, POLICY_SEARCH, POLICY_SPEED
from mpcheck._text import shell
from mpcheck.policy.accuracy import Budget, parse_budget
from mpcheck.policy.rules import builtin
from mpcheck.records.document import Records
from mpcheck.records.policy_figures import PolicyChoice, PolicyErrors, PolicySpeed
from mpcheck.records.record import Record
from mpcheck.sessions.policy import BUDGET
from mpcheck.sessions.policy.found import found_file


@dataclass(frozen=True)
class Row:
    """One policy on one backend and system, with all that was found of it.

    Attributes:
        errors: None where it did not run. speed: of it as it is; None where it was not timed.
        red: whether one of its records is. refused: why it cannot run; unsound: why it is not safe whatever its errors are.
    """

    system: str
    policy: str
    backend: str
    errors: PolicyErrors | None
    speed: PolicySpeed | None
    red: bool
    refused: str
    unsound: str

    def safe(self, budget: Budget) -> bool:
        """Whether it ran as it says, gave numbers, and erred less than the budget allows."""
        if self.errors is None or self.red or self.refused or self.unsound:
            return False
        energy, force = self.errors.energy_meV_per_atom, self.errors.force_meV_per_A
        return energy is not None and force is not None and budget.allows(energy, force)


def rows(document: Records) -> list[Row]:
    """Of all policies, in the order of the records."""
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in document.records:
        if record.check == POLICY:
            groups.setdefault((record.system, record.subject, record.backend), []).append(record)
    speeds = {(r.system, r.subject, r.backend): r.detail for r in document.records if r.check == POLICY_SPEED and not r.variant}
    return [_row(where, found, speeds.get(where)) for where, found in groups.items()]


def _row(where: tuple[str, str, str], found: Sequence[Record], speed: object) -> Row:
    errors = next((r.detail for r in found if isinstance(r.detail, PolicyErrors)), None)
    refused = next((r.reason for r in found if r.verdict == "known-fault" or (r.variant == "applied" and r.verdict == "unsupported")), "")
    unsound = next((r.reason for r in found if r.variant == "finite" and r.verdict != "pass"), "")
    return Row(*where, errors, speed if isinstance(speed, PolicySpeed) else None, any(r.red for r in found), refused, unsound)


def budget_of(document: Records) -> Budget:
    """That the user set, or the usual one."""
    return parse_budget(str(document.options.get("budget") or BUDGET))


def answer(document: Records) -> list[str]:
    """Three or four lines for each system."""
    budget, lines = budget_of(document), list[str]()
    every = rows(document)
    for system in dict.fromkeys(r.system for r in every):
        own = [r for r in every if r.system == system]
        lines += _answer(document, system, own, budget)
    return lines


def _answer(document: Records, system: str, own: Sequence[Row], budget: Budget) -> list[str]:
    model = document.model.name
    safe = [r for r in own if r.safe(budget)]
    if not safe:
        worst = "; ".join(dict.fromkeys(r.unsound or r.refused for r in own if r.unsound or r.refused))[:200]
        return [f"{model} on {system}: no policy that was tried stays within {budget}" + (f" ({worst})" if worst else "")]
    names = ", ".join(dict.fromkeys(r.policy for r in safe))
    beyond = ", ".join(dict.fromkeys(r.policy for r in own if not r.safe(budget) and r.policy not in {s.policy for s in safe}))
    lines = [f"{model} on {system}: safe within {budget}: {names}"]
    if beyond:
        lines.append(f"  not safe: {beyond}")
    timed = [r for r in safe if r.speed is not None and r.speed.speedup_float64 is not None]
    if timed:
        best = max(timed, key=lambda r: r.speed.speedup_float64 or 0.0)  # type: ignore[union-attr]  # timed ones have it
        lines.append(f"  fastest of them here: {best.policy} on {best.backend}, {_gain(best.speed)}; it errs by {_cost(best.errors)}")
        lines.append(f"  to use it: {_apply(document, best.policy, best.backend)}")
        lines.append('             atoms.calc = mpcheck.policy.calculator("own.model")')
        lines += _found(document, system)
        lines.append(f"  speed-ups are those of {document.environment.device_name}, energy and forces of {int(best.speed.atoms or 0)} atoms")  # type: ignore[union-attr]
    return lines


def _apply(document: Records, policy: str, backend: str) -> str:
    """The command that writes the model with a policy."""
    return shell(["mpcheck", "apply", document.model.name, "--policy", policy, "--backend", backend, "-o", "own.model"])


def _gain(speed: PolicySpeed | None) -> str:
    if speed is None or speed.speedup_float64 is None:
        return "not timed"
    low, high = speed.speedup_float64_low, speed.speedup_float64_high
    return f"{speed.speedup_float64:.2f} ({low:.2f} to {high:.2f}) times as fast as float64 on e3nn"


def _cost(errors: PolicyErrors | None) -> str:
    if errors is None:
        return "an unknown amount"
    return f"{number(errors.energy_meV_per_atom)} meV/atom and {number(errors.force_meV_per_A)} meV/Å"


def number(value: float | None) -> str:
    """Two digits; ``–`` of none."""
    if value is None:
        return "–"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    return "0" if value == 0 else f"{value:.0e}"


def _found(document: Records, system: str) -> list[str]:
    lines = []
    for record in document.records:
        if record.check != POLICY_SEARCH or record.system != system or not isinstance(record.detail, PolicyChoice):
            continue
        choice = record.detail
        if choice.policy is None:
            lines.append(f"  searched on {record.backend}: {record.reason}")
            continue
        if choice.policy in builtin():  # timed beside the others, and told above
            lines.append(f"  searched on {record.backend}: no mix within the budget is faster than {choice.policy}")
            continue
        gain = f"{choice.speedup_float64:.2f} times as fast as float64 on e3nn" if choice.speedup_float64 is not None else "not timed"
        memory = f", a call holds {choice.peak_bytes / 1e6:.0f} MB" if choice.peak_bytes is not None else ""
        errs = f"{number(choice.energy_meV_per_atom)} meV/atom and {number(choice.force_meV_per_A)} meV/Å"
        promised = f"{number(choice.predicted_energy_meV_per_atom)} and {number(choice.predicted_force_meV_per_A)} predicted"
        file = found_file(record.backend, system, [s.name for s in document.systems])
        lines.append(f"  searched on {record.backend}: {choice.title}, {gain}{memory}; it errs by {errs} ({promised}), in {file}")
        lines.append(f"  to use that: {_apply(document, str(document.beside(file)), record.backend)}")
    return lines
