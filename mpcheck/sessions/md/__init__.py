"""The md session: does molecular dynamics in lower precision give the same physics, and how much faster is it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from mpcheck._files.kinds import SVG
from mpcheck._names import DYNAMICS, REFERENCE_BACKEND
from mpcheck.formats import F32
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import BACKEND, SYSTEM, Option, Options
from mpcheck.sessions.typed import backend_names

POLICIES, PROTOCOLS = (F32, "float8_e4m3fn"), ("nve", "langevin", "npt")
"""What runs where the user names none, beside float64: one that is used, and one that is known to be too coarse."""


@dataclass(frozen=True)
class MdOptions(Options):
    """What the md session takes.

    Attributes:
        policies: beside float64, which always runs. protocols: built-in ones, or YAML files. seeds: starts, the same for every policy.
        equivalent: policies of which ``different`` is red. length: ps that are measured, instead of the protocols' own; long: their long ones.
        runs: directory of trajectories. resume: whether runs that are there are taken, and gone on with. cluster: where runs are sent.
    """

    told: ClassVar[tuple[str, ...]] = ("seeds", "length", "long")

    systems: Annotated[
        tuple[str, ...], replace(SYSTEM, help="builtin:NAME[:N] or FILE[@SLICE]; default: the first that fits; its first frame", single=True)
    ] = ()
    backends: Annotated[tuple[str, ...], replace(BACKEND, help=f"{', '.join(backend_names())}; default: e3nn alone")] = (REFERENCE_BACKEND,)
    policies: Annotated[
        tuple[str, ...],
        Option(
            f"policy beside float64, built-in or a YAML file; default: {', '.join(POLICIES)}", name="policy", gate=True, rule="names",
            parse="mpcheck.sessions.policy.parsing:policies",
        ),
    ] = POLICIES  # fmt: skip
    protocols: Annotated[
        tuple[str, ...],
        Option(
            f"protocol, built-in or a YAML file; default: {', '.join(PROTOCOLS)}", name="protocol", gate=True, rule="names",
            parse="mpcheck.sessions.md.parsing:protocols",
        ),
    ] = PROTOCOLS  # fmt: skip
    seeds: Annotated[int, Option("starts of every protocol, the same for all policies", metavar="N", least=1, most=1000, gate=True)] = 3
    equivalent: Annotated[
        tuple[str, ...],
        Option("policy whose dynamics must be float64's: `different` is then red; default: float32", name="equivalent", gate=True, rule="stricter"),
    ] = (F32,)
    length: Annotated[float, Option("picoseconds of every run, instead of the protocols' own", metavar="PS", least=0)] = 0.0
    long: Annotated[bool, Option("run the protocols at their long lengths: hours on a GPU")] = False
    runs: Annotated[Path | None, Option("directory of trajectories; default: md-runs in --out", metavar="DIR")] = None
    resume: Annotated[bool, Option("take runs that are complete in --runs, and go on with those that were stopped")] = False
    cluster: Annotated[
        str,
        Option(
            "slurm or local: send runs to a cluster by submitit, or to processes here", metavar="WHERE", parse="mpcheck.sessions.md.parsing:cluster"
        ),
    ] = ""
    cluster_options: Annotated[tuple[str, ...], Option("NAME=VALUE for submitit, such as slurm_partition=gpu", name="cluster-option")] = ()


SESSION = SessionSpec(
    name="md",
    title="Does molecular dynamics in lower precision give the same physics, and how many steps a second does it make?",
    order=17,
    one_thread=True,
    processes=2,
    options=MdOptions,
    without=("formats", "blocks", "tolerances", "references", "rows", "cache_limit", "shard"),
    work="mpcheck.sessions.md.work:MdWork",
    folder="md",
    checks=DYNAMICS,
    columns=("subject", "backend"),
    pytest_words=("-p", "no:benchmark", "--mp-runs={out}/md-runs"),
    shown="mpcheck.sessions.md.showing:SHOWING",
    extra=(("md-*.svg", SVG),),
)
