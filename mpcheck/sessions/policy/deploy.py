"""Write a model with a policy as a file, confirmed and measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.stored import Model
from mpcheck._packages import versions
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported
from mpcheck.policy.judging.errors import judge_errors
from mpcheck.policy.rules import Policy
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.policy.running.confirm import faults
from mpcheck.policy.running.deployed import beside, save
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.answer import number
from mpcheck.sessions.policy.judged import figures, made_of
from mpcheck.sessions.policy.study import Study
from mpcheck.sessions.run import Session
from mpcheck.systems import available_systems


@neutral()
def deploy(
    model: str, policy: Policy, out: Path, system: str, device: str, backend: str, cache: Path | None, seed: int, progress: Callable[[str], None]
) -> list[str]:
    """What was written, and what it errs by, in lines.

    Args:
        system: on which errors are measured; empty for the first built-in one of the model's elements.

    Raises:
        InputError: what cannot be applied, a model that does not run as the policy says, values that are no numbers on the user's structures.
    """
    asked = PolicyOptions(
        model=model, systems=(system,) if system else (), device=device, backends=(backend,), cache=cache, seed=seed, progress=progress
    )
    session = Session(asked)
    name = system or available_systems(session.model.elements)[0]
    study = Study(session, name)
    made = study.applied(policy, backend)
    if isinstance(made, Unsupported):
        raise InputError(f"backend {backend}: {made.text}")
    _confirm(study, policy, made, backend)
    report = judge_errors(made, session.model, study.sets, study.reference, session.device)
    if wrong := [*report.raised, *(n.text for n in report.nonfinite if n.kind not in ("contacts", "diatomics"))]:
        raise InputError(f"policy {policy.name} gives no numbers on {name}: {wrong[0]}; nothing was written")
    measured = figures(report, study.predicted(policy, backend))
    errors = {n: v for n, v in measured.figures.items() if isinstance(v, (float, int, str))}
    document = save(
        made, out, model=Model(name=session.model.name, digest=session.model.digest), backend=backend, system=name, errors=errors, versions=versions()
    )
    return [
        f"wrote {out}: {session.model.name} by policy {policy.name} ({policy.title}) on {backend}",
        f"wrote {beside(out)}: the policy, and its errors on {name}",
        f"it errs by {number(measured.energy_meV_per_atom)} meV/atom and {number(measured.force_meV_per_A)} meV/Å (RMS)"
        f" over {int(measured.structures or 0)} structures, against float64",
        *(f"note: {note}" for note in document.notes),
        "in Python:  import mpcheck.policy",
        f'            atoms.calc = mpcheck.policy.calculator("{out}")',
    ]


def _confirm(study: Study, policy: Policy, made: PolicyModel, backend: str) -> None:
    """Raises:
    InputError: the model does not run as the policy says.
    """
    if wrong := faults(made, made_of(study, backend), study.session.graph(study.system), study.plain(policy, backend)):
        block, reason = next(iter(wrong.items()))
        raise InputError(f"policy {policy.name} does not run as it says: {block}: {reason}; nothing was written")
