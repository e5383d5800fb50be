"""Known faults of upstream: recorded in a data file with their evidence, shown in every report, never silenced.

A finding that fails as an entry says becomes a ``known-fault``. A finding that fails otherwise stays a failure. An entry whose
versions are installed but whose fault no longer shows is itself a failure: it would hide the next fault in its place.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, field_validator, model_validator

from mpcheck._files.yaml import Strict, load_yaml
from mpcheck._names import (
    AUTOCAST,
    COST_MODEL,
    COVERAGE,
    DYNAMICS,
    GOLDEN,
    POLICY_BUDGET,
    POLICY_SEARCH,
    PROFILE,
    SURVEY_FOUND,
    SURVEY_PART,
    SWEEP,
    TRAININGS,
)
from mpcheck._packages import distributions
from mpcheck.adapters.facts.class_names import upstream_classes
from mpcheck.formats import FORMATS
from mpcheck.judge.native_sums import EQUAL_TERMS
from mpcheck.judge.versions import VersionRange, installed_within
from mpcheck.records.record import Record
from mpcheck.sessions.registry import sessions

Text = Annotated[str, Field(min_length=1)]
SEVERAL_HEADS, JUMPS, EMBEDDED_ENERGY = "several heads", "weights of edges at the cut-off", "energy of the embedding"
CUT_REPULSION = "pair repulsion beyond the cut-off"
TRAITS = (SEVERAL_HEADS, JUMPS, EMBEDDED_ENERGY, CUT_REPULSION)
"""What a model can be besides having submodules of a class."""
CAUSES = (EQUAL_TERMS,)
"""What a check can find out of a failure."""

Texts = Annotated[list[Text], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
"""One, or several."""


class KnownFault(Strict):
    """One fault.

    Attributes:
        id: short name, in words.
        package: distribution that has it; versions: those that have it, e.g. ``<=0.3.16``.
        check, subject, variant, backend: which findings show it; glob patterns, except the check.
        format: formats that show it; empty for all.
        needs: trait, or traits, without which a model cannot show the fault: see :func:`class_names`; empty where every model does.
        unless: traits any of which hides the fault.
        always: whether every model that it concerns shows it; where some do not, its absence says nothing.
        says: text, or texts one of which the reason of such a failure holds, so that another failure in the same place is not taken for it.
        cause: likewise, what the check itself found out that the failure comes from (:attr:`Record.cause`); one of the two, or both.
        evidence: what was measured. link: upstream's report or fix, where there is one.
    """

    id: Text
    package: Text
    versions: VersionRange
    check: Text
    subject: str = "*"
    variant: str = "*"
    backend: str = "*"
    format: list[str] = []
    says: Texts = []
    cause: str = ""
    needs: Texts = []
    unless: list[str] = []
    always: bool = True
    evidence: Annotated[str, Field(min_length=20)]
    link: str = ""

    def concerns(self, finding: Record) -> bool:
        """Whether this fault would show in a finding of this name."""
        return (
            finding.check == self.check
            and fnmatchcase(finding.subject, self.subject)
            and fnmatchcase(finding.variant, self.variant)
            and fnmatchcase(finding.backend, self.backend)
            and (not self.format or finding.format in self.format)
        )

    def shows(self, finding: Record) -> bool:
        """Whether a finding that it concerns failed as it says."""
        return finding.verdict == "fail" and any(text in finding.reason for text in self.says or [""]) and self.cause in ("", finding.cause)

    @model_validator(mode="after")
    def _told_apart(self) -> KnownFault:
        if not self.says and not self.cause:
            raise ValueError("give says or cause, by which its failures are told apart from others in the same place")
        if self.cause:
            _one_of(self.cause, CAUSES, "cause")
        return self

    @field_validator("check")
    @classmethod
    def _known_check(cls, value: str) -> str:
        return _one_of(value, known_checks(), "check")

    @field_validator("format")
    @classmethod
    def _known_formats(cls, value: list[str]) -> list[str]:
        return [_one_of(name, (*FORMATS, AUTOCAST), "format") for name in value]

    @model_validator(mode="after")
    def _known_names(self) -> KnownFault:
        """A package that is one of those whose versions records hold, or is installed; traits that a model of such versions can have."""
        if self.package not in distributions() and installed_within(self.package, "") is None:
            raise ValueError(f"package {self.package!r} is neither installed nor one of {', '.join(distributions())}")
        if installed_within(self.package, self.versions) is not None:
            unknown = [name for name in (*self.needs, *self.unless) if name not in TRAITS and name not in upstream_classes()]
            if unknown:
                raise ValueError(f"{unknown[0]!r} is no class of upstream's and none of {', '.join(TRAITS)}")
        return self


def known_checks() -> list[str]:
    """Checks whose records go through the file; values of upstream's own past, what is made of policies, coverage, profiles, surveys and dynamics
    do not.
    """
    names = dict.fromkeys(check for spec in sessions().values() for check in spec.checks)
    without = (GOLDEN, POLICY_BUDGET, POLICY_SEARCH, COVERAGE, PROFILE, SWEEP, COST_MODEL, SURVEY_PART, SURVEY_FOUND, *DYNAMICS, *TRAININGS)
    return [name for name in names if name not in without]


def _one_of(value: str, known: Sequence[str], what: str) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is no {what}; choose from {', '.join(known)}")
    return value


class KnownFaults(Strict):
    """The data file."""

    schema_version: Literal[1]
    faults: list[KnownFault]

    @field_validator("faults")
    @classmethod
    def _apart(cls, value: list[KnownFault]) -> list[KnownFault]:
        names = [fault.id for fault in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two entries are called {twice!r}")
        return value


UNBOUNDED = {"RealAgnosticResidualNonLinearInteractionBlock", "RealAgnosticAttResidualInteractionBlock"}
"""Blocks whose radial MLP is not zero where the radial functions are: it has biases, or reads the atoms' features as well."""


def class_names(model: torch.nn.Module) -> frozenset[str]:
    """Traits of a model: classes of its submodules (of scripted ones, the class that was scripted), and in words ``several heads``,
    ``weights of edges at the cut-off`` (the envelope comes before a radial MLP that does not keep its zero), ``pair repulsion beyond the
    cut-off`` (that of two large atoms, which ends at the sum of their covalent radii) and ``energy of the embedding`` (built with
    ``use_embedding_readout``).
    """
    classes = {str(getattr(m, "original_name", type(m).__name__)) for m in model.modules()}
    if len(getattr(model, "heads", None) or ()) > 1:
        classes.add(SEVERAL_HEADS)
    if classes & UNBOUNDED and getattr(getattr(model, "radial_embedding", None), "apply_cutoff", True):
        classes.add(JUMPS)
    if _reaches_beyond(model):
        classes.add(CUT_REPULSION)
    if hasattr(model, "embedding_readout"):
        classes.add(EMBEDDED_ENERGY)
    return frozenset(classes)


class Traits:
    """Traits of a model (:func:`class_names`), looked for when an entry first asks: most cells concern none."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model

    def __contains__(self, name: object) -> bool:
        return name in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return class_names(self._model)


def _reaches_beyond(model: torch.nn.Module) -> bool:
    """Whether a repulsion of pairs goes to zero farther out than edges reach."""
    radii = getattr(getattr(model, "pair_repulsion_fn", None), "covalent_radii", None)
    numbers, r_max = (getattr(model, name, None) for name in ("atomic_numbers", "r_max"))
    if radii is None or numbers is None or r_max is None:
        return False
    return bool(2 * radii[torch.as_tensor(numbers)].max() > float(r_max))


@cache
def load_faults(path: Path | None = None) -> tuple[KnownFault, ...]:
    """The packaged file, or another one.

    Raises:
        InputError: missing, or with wrong fields.
    """
    where = path or Path(str(resources.files("mpcheck") / "data" / "upstream-faults.yaml"))
    return tuple(load_yaml(KnownFaults, where, "file of known faults").faults)


def apply_known_faults(findings: Sequence[Record], classes: Container[str], faults: Sequence[KnownFault] | None = None) -> list[Record]:
    """The findings of one piece of work, known faults named as such, and a failure for every entry that is out of date.

    Args:
        findings: all records of one piece of work, so that an entry that none of them shows can be told.
        classes: names of the classes of the model's submodules.
        faults: None for the packaged file.
    """
    told = list(findings)
    for fault in load_faults() if faults is None else faults:
        own = [i for i, f in enumerate(findings) if fault.concerns(f) and f.verdict in ("pass", "fail")]
        if not own or any(name not in classes for name in fault.needs) or any(name in classes for name in fault.unless):
            continue
        version = installed_within(fault.package, fault.versions)
        if version is None:
            continue
        shown = [i for i in own if fault.shows(findings[i])]
        for i in shown:
            finding = findings[i]
            reason = f"{finding.reason} [known fault {fault.id} of {fault.package} {fault.versions}{', ' + fault.link if fault.link else ''}]"
            told[i] = finding.model_copy(update={"verdict": "known-fault", "reason": reason})
        if fault.always and not shown and all(findings[i].verdict == "pass" for i in own):
            first = findings[own[0]]
            reason = f"known fault {fault.id} no longer applies to {fault.package} {version}: remove its entry or narrow its versions"
            told.append(first.model_copy(update={"verdict": "fail", "reason": reason, "variant": f"{first.variant or 'entry'}, known fault"}))
    return told
