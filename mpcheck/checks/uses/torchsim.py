"""TorchSim's models of MACE against the model itself: a batch of crystals and a molecule, every head, in float64 and in float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.calculator import as_it_was
from mpcheck.adapters.torchsim import interfaces, opened, takes_heads, told
from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case, Values, difference_ratio
from mpcheck.checks.uses.asking import STRAINED, Difference, differences, flags_of, heads_of, judged, outputs, rounded, scales, structures
from mpcheck.checks.uses.calculator import MOST_HEADS
from mpcheck.checks.uses.door import same
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

COMPARED = ("energy", "forces", "stress")
FINE = 1e3  # noise scales of float64; float32's numbers are half a million times as far away


def torchsim(case: Case) -> list[Record]:
    """Findings by class, head and type."""
    found = interfaces()
    if isinstance(found, str):
        return [case.finding(None, verdict="unsupported", reason=found)]
    if case.model is not case.context.reference_backend.model or not flags_of(case.model, **STRAINED):
        return [case.finding(None, verdict="unsupported", reason="TorchSim takes e3nn models of energies; it converts them itself")]
    records = []
    for name, interface in found.items():
        if isinstance(interface, str):
            records.append(case.finding(None, variant=name, verdict="unsupported", reason=interface))
            continue
        heads = list(enumerate(heads_of(case)))[: MOST_HEADS if takes_heads(interface) else 1]
        records += [_judge(case, interface, name, number, head, FLOAT64.name) for number, head in heads]
        records.append(_judge(case, interface, name, *heads[-1], FLOAT32.name))
    return records


def _judge(case: Case, interface: Any, name: str, number: int, head: str, dtype: str) -> Record:
    variant = ", ".join(p for p in (name, f"head {head}" if len(heads_of(case)) > 1 else "", dtype) if p)
    rows = attempt(lambda: list(_rows(case, interface, number, head, dtype)))
    if isinstance(rows, Raised):
        return case.finding(None, variant=variant, reason=f"{name} raised {rows.text}")
    return judged(case, rows, variant, (name + "'s {0.what} is not the model's, by {0.size:.3g}").format)


def _rows(case: Case, interface: Any, number: int, head: str, dtype: str) -> Iterator[Difference]:
    kind: torch.dtype = getattr(torch, dtype)
    boxed = frames_of(case)["molecule"][0].copy()
    boxed.cell = [1.0, 1.0, 1.0]  # a stand-in, shorter than the molecule: without periodicity it means nothing
    for what, frames, stress in (("crystals", structures(case), True), ("a molecule", [boxed], False)):
        wanted, exact, scale = _truth(case, frames, number, stress, dtype)
        with as_it_was(case.model), opened(interface, case.model, case.device, kind, head, stress=stress) as made:
            found = told(made, frames, case.device, kind)
            yield same(found["forces"].dtype == kind, f"forces of {what}, which are not in {dtype},")
        given = {n: v.to(torch.float64) for n, v in found.items() if n in wanted}
        for row in differences(case, given, wanted, scale):
            yield Difference(f"{row.what} of {what}", row.ratio, row.limit, row.size)
        if dtype == FLOAT32.name:
            fine = {n: s * (ROUNDOFF / FLOAT32.u) for n, s in scale.items()}
            fitting = [one["forces"] for one in (exact, wanted) if one["forces"].shape == given["forces"].shape]
            yield same(
                all(difference_ratio(given["forces"], one, fine["forces"]) > FINE for one in fitting), f"forces of {what}, which are float64's,"
            )


def _truth(case: Case, frames: Sequence[Atoms], number: int, stress: bool, dtype: str) -> tuple[Values, Values, Values]:
    """What must come in a type, what comes in float64, and the noise in the type."""
    graph = case.graph(*frames)
    graph |= {"head": torch.full_like(graph["head"], number)} if "head" in graph else {}
    flags = flags_of(case.model, compute_force=True, compute_stress=stress)

    def values(given: Values) -> Values:
        return {n: v.to(torch.float64) for n, v in outputs(case.model, given, **flags).items() if n in COMPARED and (stress or n != "stress")}

    exact = values(graph)
    scale = scales(case, lambda: values(graph), "TorchSim", len(frames), number)
    if dtype == FLOAT64.name:
        return exact, exact, scale
    with replaced(case.model, rounded):
        low = values({k: rounded(v) for k, v in graph.items()})
    return low, exact, {n: s * (FLOAT32.u / ROUNDOFF) for n, s in scale.items()}
