"""The TorchScript export that LAMMPS loads against the model itself: energies, forces and virials of all atoms and of some."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.calculator import as_it_was
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.export import as_lammps, exported, plain
from mpcheck.adapters.facts.tensors import of_other_types
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import Difference, asked, differences, flags_of, heads_of, judged, rounded, scales, structures
from mpcheck.checks.uses.calculator import MOST_HEADS
from mpcheck.checks.uses.door import same
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
    records.append(_judge(case, *wanted[-1], FLOAT32.name))
    return [*records, *(_uncompiled(case, head, number) for number, head in list(enumerate(heads))[1:-1][:MOST_HEADS])]


def _uncompiled(case: Case, head: str, number: int) -> Record:
    """A head between, of the module that is compiled for the others."""

    def rows() -> list[Difference]:
        graph = case.graph(structures(case)[0])
        graph |= {"head": torch.full_like(graph["head"], number)}
        local = torch.ones(len(graph["positions"]), dtype=torch.float64, device=case.device)
        wanted = truth(case.model, graph, local)
        with as_it_was(case.model):
            found = as_lammps(plain(case.model, head), graph, local, True)
        return list(differences(case, found, wanted, scales(case, partial(truth, case.model, graph, local), "export", "all atoms", str(number))))

    told = attempt(rows)
    variant = f"head {head}, not compiled"
    if isinstance(told, Raised):
        return case.finding(None, variant=variant, reason=f"the export raised {told.text}")
    return judged(case, told, variant, _told)


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
    record = judged(case, rows, variant, _told)
    if record.verdict == "pass" and (left := of_other_types(made, getattr(torch, dtype))):
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        return case.finding(None, variant=variant, worst=left[0], reason=f"the export was asked for in {dtype}, and keeps {left[0]}{more}")
    return record


def _told(w: Difference) -> str:
    return f"the export's {w.what} is not the model's" + (f", by {w.size:.3g}" if math.isfinite(w.size) else "")


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
            for name in ("forces", "virials") if virials else ("forces",):
                yield same(found[0][name].dtype == low["positions"].dtype, f"{name}, which are not in {dtype},")
            for call in (found[0], found[-1]):
                coarser = FLOAT32.u / ROUNDOFF if dtype == FLOAT32.name else 1.0
                yield from _named(differences(case, _wide(call), chosen, {n: s.cpu() * coarser for n, s in scale.items()}), share, virials)


def _wide(values: Values) -> Values:
    return {n: v.to(torch.float64) for n, v in values.items()}


def _named(rows: Iterator[Difference], share: str, virials: bool) -> Iterator[Difference]:
    for row in rows:
        yield Difference(f"{row.what} of {share}{'' if virials else ', no virials asked for,'}", row.ratio, row.limit, row.size)
