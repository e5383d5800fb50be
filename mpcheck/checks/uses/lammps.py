"""The TorchScript export that LAMMPS loads against the model itself: energies, forces and virials of all atoms and of some."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.export import as_lammps, exported
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import Difference, asked, differences, flags_of, heads_of, judged, rounded, scales, structures
from mpcheck.formats import FLOAT32, FLOAT64
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

CALLS = 4  # TorchScript has optimised what it runs after three
SHARES: Mapping[str, Callable[[int], bool]] = {"all atoms": lambda i: True, "every second atom": lambda i: i % 2 == 0}


def export(case: Case) -> list[Record]:
    """The export of each head in float64, and of one in float32."""
    if case.model is not case.context.reference_backend.model:
        reason = (
            "mace_create_lammps_model exports the e3nn model; a converted one runs in LAMMPS through the ML-IAP interface, which ghosts are about"
        )
        return [case.finding(None, verdict="unsupported", reason=reason)]
    if not flags_of(case.model, compute_displacement=True):
        return [case.finding(None, verdict="unsupported", reason=f"{type(case.model).__name__} gives no energy that LAMMPS could use")]
    heads = heads_of(case)
    # to compile takes seconds, and the head is a number in a buffer: the first and the last
    wanted = list(dict.fromkeys([(heads[0], 0), (heads[-1], len(heads) - 1)]))
    records = [_judge(case, head, number, FLOAT64.name) for head, number in wanted]
    return [*records, _judge(case, *wanted[-1], FLOAT32.name)]


def truth(model: torch.nn.Module, graph: Tensors, local: torch.Tensor) -> Values:
    """What LAMMPS must get: derivatives of the energy of the local atoms, of the model in Python."""
    out = asked(model, graph, compute_force=False, compute_displacement=True)
    energy = (out["node_energy"] * local).sum()
    positions = graph["positions"]
    data = {k: v.detach().clone() for k, v in graph.items()}
    leaf = positions.detach().clone().requires_grad_(True)
    strained = model({**data, "positions": leaf}, compute_force=False, compute_displacement=True)
    forces, virials = torch.autograd.grad((strained["node_energy"] * local).sum(), [leaf, strained["displacement"]])
    return {"total_energy_local": energy.detach()[None], "node_energy": out["node_energy"].detach(), "forces": -forces, "virials": -virials}


def _judge(case: Case, head: str, number: int, dtype: str) -> Record:
    variant = ", ".join(p for p in (f"head {head}" if len(heads_of(case)) > 1 else "", dtype) if p)
    with tempfile.TemporaryDirectory() as folder:
        made = attempt(lambda: exported(case.model, Path(folder), head if len(case.context.model.heads) > 1 else "", dtype))
    if isinstance(made, Raised):
        if isinstance(made.error, ImportError):
            return case.finding(None, variant=variant, verdict="unsupported", reason=f"upstream's export cannot be imported: {made.line}")
        return case.finding(None, variant=variant, reason=f"the export raised {made.text}")
    rows = attempt(lambda: list(_rows(case, made, number, dtype)))
    if isinstance(rows, Raised):
        return case.finding(None, variant=variant, reason=f"the export was made, and raised {rows.text}")
    return judged(case, rows, variant, "the export's {0.what} is not the model's, by {0.size:.3g}".format)


def _rows(case: Case, made: torch.jit.ScriptModule, number: int, dtype: str) -> Iterator[Difference]:
    graph = {k: v.cpu() for k, v in case.graph(structures(case)[0]).items()}
    graph |= {"head": torch.full_like(graph["head"], number)} if "head" in graph else {}
    low = {k: v.to(torch.float32) if v.is_floating_point() and dtype == FLOAT32.name else v for k, v in graph.items()}
    # in float32 what may differ is the arithmetic alone, which all calls share
    for share, of in SHARES.items() if dtype == FLOAT64.name else list(SHARES.items())[-1:]:
        local = torch.tensor([float(of(i)) for i in range(len(graph["positions"]))], dtype=torch.float64)
        here = {k: v.to(case.device, torch.float64) if v.is_floating_point() else v.to(case.device) for k, v in low.items()}
        with replaced(case.model, rounded) if dtype == FLOAT32.name else contextlib.nullcontext():
            wanted = {n: v.cpu() for n, v in truth(case.model, here, local.to(case.device)).items()}
        scale = scales(case, partial(truth, case.model, here, local.to(case.device)), "export", share, str(number))
        for virials in (True, False) if dtype == FLOAT64.name else (True,):
            chosen = {n: v for n, v in wanted.items() if virials or n != "virials"}
            found = [as_lammps(made, low, local.to(low["positions"]), virials) for _ in range(CALLS)]
            for call in (found[0], found[-1]):
                coarser = FLOAT32.u / ROUNDOFF if dtype == FLOAT32.name else 1.0
                yield from _named(differences(case, _wide(call), chosen, {n: s.cpu() * coarser for n, s in scale.items()}), share, virials)


def _wide(values: Values) -> Values:
    return {n: v.to(torch.float64) for n, v in values.items()}


def _named(rows: Iterator[Difference], share: str, virials: bool) -> Iterator[Difference]:
    for row in rows:
        yield Difference(f"{row.what} of {share}{'' if virials else ', no virials asked for,'}", row.ratio, row.limit, row.size)
