"""The policy session: may a whole model run in these formats, what does it cost in accuracy, and what does it gain in speed?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from mpcheck._files.kinds import SVG, YAML
from mpcheck._names import POLICIES
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import BACKEND, Option, Options
from mpcheck.sessions.typed import backend_names

BUDGET = "1 meV/atom, 10 meV/Å"
"""What is called safe where the user says nothing: the noise of density functional labels, and forces that dynamics does not notice."""


@dataclass(frozen=True)
class PolicyOptions(Options):
    """What the policy session takes.

    Attributes:
        backends: empty for e3nn, and on CUDA for cuEquivariance, too: on a CPU its naive method is four times slower than e3nn, and nobody's choice.
        policies: built-in ones, or YAML files; empty for all built-in ones.
        budget: largest error that is safe; search: whether the fastest policy within it is looked for.
        variants: further ways to run each policy, besides as it is. launches: processes that it is timed in; 0 for no timing.
        sweep: largest supercell of diamond that policies are timed and measured on; 0 for none. sweep_seconds: for that.
    """

    told: ClassVar[tuple[str, ...]] = ("budget",)  # by which its answer calls a policy safe

    backends: Annotated[tuple[str, ...], replace(BACKEND, help=f"{', '.join(backend_names())}; default: e3nn, on CUDA with cueq")] = ()
    policies: Annotated[
        tuple[str, ...],
        Option(
            "built-in policy or YAML file; default: all built-in ones (`mpcheck policies` lists them)",
            name="policy",
            gate=True,
            rule="names",
            parse="mpcheck.sessions.policy.parsing:policies",
        ),
    ] = ()
    budget: Annotated[
        str, Option("largest error that is called safe", metavar="BUDGET", gate=True, parse="mpcheck.sessions.policy.parsing:budget")
    ] = BUDGET
    search: Annotated[bool, Option("look for the fastest policy within the budget, block family by block family")] = False
    variants: Annotated[
        tuple[str, ...], Option("compile, script or cudagraph: time policies so, too", parse="mpcheck.sessions.policy.parsing:variants")
    ] = ()
    launches: Annotated[int, Option("processes that policies are timed in, in turn; 0 for no timing", metavar="N", least=0, most=100)] = 1
    sweep: Annotated[
        int, Option("time and measure policies on builtin:diamond:1 … N and in batches of 4 and 8, too; 0 for none", metavar="N", least=0, most=8)
    ] = 0
    sweep_seconds: Annotated[float, Option("that --sweep may take; sizes that do not fit are named", metavar="S", least=1)] = 120.0


SESSION = SessionSpec(
    name="policy",
    title="May a whole model run in lower precision, what does it cost in meV/atom and meV/Å, and how much faster is it?",
    order=15,
    one_thread=True,
    options=PolicyOptions,
    without=("formats", "blocks", "tolerances"),
    work="mpcheck.sessions.policy.work:PolicyWork",
    folder="policy",
    checks=POLICIES,
    columns=("subject", "backend"),
    compared="ratios",
    parallel=False,
    shown="mpcheck.sessions.policy.showing:SHOWING",
    extra=(("policy-*.svg", SVG), ("policy-*.yaml", YAML)),
)
