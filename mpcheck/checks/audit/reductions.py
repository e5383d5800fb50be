"""Reductions at scale: upstream's energy sum and message scatter alone, for many more atoms and neighbours than a test has.

Two gates. The *ratio*: the error of the arithmetic (against the exact sum of what the format stores) in units of the noise
scale of a sum of n terms t with result y, ``u_acc sqrt(m (y^2 / 3 + sum(t^2) / 2))`` for the partial sums and ``u |y|`` for
the stored result. Where all terms differ, m is n (see :func:`mpcheck.reference.sums.partial_sums`). Adding the same
number to partial sums of one binade makes the same error each time, so that terms that occur n_z times each give
``m = sum(n_z^2)``: the E0 of a few elements err in proportion to n, not to its root; so do terms that differ by less than the
partial sums' last digit, see :func:`common_error`. The *budget*: 1 meV/atom against the
true sum, wherever the format holds every single term that well: then the sum, not the format, is what loses it. Where the
format cannot even hold the terms, the finding says so and the number is there to read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms as Structure

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.steps import energy_sum, scatter
from mpcheck.checks.audit.reductions_data import CARBON_E0, Atoms, carbon, census, many_atoms, messages
from mpcheck.checks.physics.structure import energies, evaluate
from mpcheck.formats import FLOAT32, FLOAT64, Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.metrics import widened
from mpcheck.judge.native_sums import EQUAL_TERMS, OCCURS, in_native_order
from mpcheck.judge.refusing import refused
from mpcheck.judge.scale import UNIFORM_SPREAD
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of
from mpcheck.reference.sums import in_order, rows_in_order

NAME = "reductions"
BUDGET = 1.0  # meV/atom: what users of force fields call the same energy
SIZES = (64, 1024, 32_768, 1_000_000)
CARBON_SIZES = (1024, 32_768)
NEIGHBOURS = (16, 64, 256, 1024, 4096)
RECEIVERS = 4
DRAWS = 8
ISOLATED = 4096  # atoms that go through the whole model: without edges it costs a tenth of a second
NATIVE = widened(1.0, UNIFORM_SPREAD)
"""Noise scales of a sum between two orders of it."""
UPSTREAM, REMEDY = "as upstream", "E0 in float64"


def _scale(terms: torch.Tensor, total: torch.Tensor, u_partial: float, u_result: float, alike: float | None = None) -> torch.Tensor:
    """Noise scale of sums over the first axis: of ``terms`` [n, ...] to ``total`` [...]; ``alike`` is m, n where not given."""
    partial = (len(terms) if alike is None else alike) * (total.square() / 3 + terms.square().sum(0) / 2)
    return (u_partial**2 * partial + (u_result * total) ** 2).sqrt()


def _together(rows: torch.Tensor, index: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """What messages that are alike on the scale of the partial sums' last digit add up to, for u = 1, column by column of the sums.

    Those of distant neighbours are smaller than it, and many round the same way: a crystal has few distances.
    """
    apart = rows_in_order(index, rows, sums.shape)
    draws = [in_order(index, rows, sums.shape, apart, seed_of("alike", draw)).square() for draw in range(DRAWS)]
    return (3 * sum(draws, torch.zeros_like(sums)) / DRAWS - apart.square()).mean(0).clamp_(min=0.0).sqrt_()


@dataclass(frozen=True)
class Sum:
    """A sum in a format: result, the exact sum of what was stored, the true sum, the scale of its arithmetic; eV.

    ``native``: its terms repeat themselves, and the result is, within the noise of terms that do not, that of adding them one by one.
    """

    result: float
    stored: float
    true: float
    scale: float
    native: bool = False


def exact_sum(values: torch.Tensor) -> float:
    """Sum of float64 values in extended precision: its own error is that of storing the result."""
    return float(values.cpu().numpy().astype(np.longdouble).sum())


def summed(values: torch.Tensor, low: torch.Tensor, fmt: Format, device: str) -> Sum:
    """Upstream's energy sum of ``low`` [atoms], the stored form of the float64 ``values``."""
    index = torch.zeros(len(low), dtype=torch.long, device=low.device)
    result = float(energy_sum(low, index, dim=0, dim_size=1)[0])
    roundoff = fmt.on(device) if low.dtype == fmt.storage else FLOAT64.on(device)
    wide = low.to(torch.float64)
    stored = exact_sum(wide)
    counts = torch.unique(low, return_counts=True)[1]
    alike = float(counts.to(torch.float64).square().sum())
    total = torch.tensor([stored], dtype=torch.float64, device=wide.device)
    scale = _scale(wide.reshape(-1, 1), total, roundoff["scatter"], roundoff["operation"], alike)
    apart = _scale(wide.reshape(-1, 1), total, roundoff["scatter"], roundoff["operation"])
    added = in_native_order(low, index, 1) if len(low) >= OCCURS * max(1, len(counts)) else None
    native = added is not None and abs(result - float(added[0])) <= NATIVE * float(apart[0])
    return Sum(result, stored, exact_sum(values), math.hypot(float(scale[0]), common_error(wide, stored, roundoff["scatter"])), native)


def common_error(terms: torch.Tensor, total: float, u: float) -> float:
    """What terms that are alike on the scale of the partial sums' last digit add up to; eV.

    A partial sum is a multiple of its last digit q, so that adding t to it errs by ``t - q round(t / q)``, whatever the sum is:
    where terms spread less than q, all err alike. Half of the terms meet the last q, a quarter the one before, and so on.
    """
    if total == 0.0 or not math.isfinite(total):
        return 0.0
    square, share, q = 0.0, 0.5, 2 * u * 2.0 ** math.floor(math.log2(abs(total)))
    for _ in range(6):
        square += (share * float((terms - q * (terms / q).round()).sum())) ** 2
        share, q = share / 2, q / 2
    return math.sqrt(square)


def judge_energy(context: Context, atoms: Atoms, fmt: Format) -> list[Record]:
    """The total energy of many atoms, as upstream and with the remedy; the interaction energies are summed once for both."""
    inter_low = atoms.interaction.to(fmt.storage)
    inter = summed(atoms.interaction, inter_low, fmt, context.reference_backend.device.type)
    lost = float((inter_low.to(torch.float64) - atoms.interaction).abs().max())
    return [_judge_total(context, atoms, fmt, inter, lost, remedy) for remedy in (False, True)]


def _judge_total(context: Context, atoms: Atoms, fmt: Format, inter: Sum, inter_held: float, remedy: bool) -> Record:
    """The total energy as upstream's forward adds it up: E0 and interaction energy apart, both in the format, then together.

    Args:
        inter: the sum of interaction energies; inter_held: the largest error of storing one of them, eV.
        remedy: E0 looked up, summed and added in float64 instead.
    """
    device = context.reference_backend.device.type
    count = len(atoms.species)
    subject, variant = (f"{atoms.label}, {REMEDY}", REMEDY) if remedy else (atoms.label, UPSTREAM)
    true_e0 = atoms.table[atoms.species]
    e0_low = true_e0 if remedy else atoms.e0_in(context, fmt)[atoms.species]
    largest = max(abs(inter.true), 0.0 if remedy else abs(float(true_e0.sum())))
    if largest > fmt.largest:
        reason = f"range: the sum is {largest:.3g} eV, {fmt.name} holds {fmt.largest:.6g}"
        return refused({"check": NAME, "subject": subject, "format": fmt.name, "variant": variant}, Unsupported("out-of-range", reason))
    e0 = summed(true_e0, e0_low, fmt, device)
    kept = torch.float64 if remedy else fmt.storage
    total = float(torch.tensor(e0.result, dtype=kept) + torch.tensor(inter.result, dtype=kept))
    true, stored = e0.true + inter.true, e0.stored + inter.stored
    final = (FLOAT64 if remedy else fmt).on(device)["operation"] * abs(stored)
    scale = math.sqrt(e0.scale**2 + inter.scale**2 + final**2)
    ratio = abs(total - stored) / scale if scale > 0 else (0.0 if total == stored else math.inf)
    per_atom = 1e3 / count
    error, lost = abs(total - true) * per_atom, abs(stored - true) * per_atom
    held = (float((e0_low.to(torch.float64) - true_e0).abs().max()) + inter_held) * 1e3
    held += final * per_atom + fmt.on(device)["operation"] * abs(inter.true) * per_atom
    limit = widened(context.tolerances.universal.rms, UNIFORM_SPREAD)
    e0_error = abs(e0.result - e0.stored) * per_atom
    metrics: dict[str, float | str | bool | list[str] | None] = {
        "error_meV_per_atom": error if math.isfinite(error) else None,
        "E0_sum_error_meV_per_atom": e0_error if math.isfinite(e0_error) else None,
        "stored_error_meV_per_atom": lost,
        "sums_in_float64_meV_per_atom": abs(inter.stored - inter.true) * per_atom,
        "allowed_meV_per_atom": BUDGET,
        "atoms": float(count),
    }
    within = held > BUDGET or error <= BUDGET
    alone = not e0_error <= abs(total - stored) * per_atom / 2
    where = f"the sum of E0 alone is off by {e0_error:.3g} meV/atom" if alone else "the sums are off"
    if ratio <= limit and not alone:
        where = f"{fmt.name} is not enough for the sum of interaction energies"
    if error > BUDGET and held > BUDGET:
        metrics["note"] = f"above {BUDGET:g} meV/atom: {fmt.name} cannot hold single terms or the result to that"
    sound = ratio <= limit and within
    return Record(
        check=NAME, subject=subject, format=fmt.name, variant=variant, verdict="pass" if sound else "fail",
        ratio=ratio if math.isfinite(ratio) else None, limit=limit, detail=figures(metrics),
        cause=EQUAL_TERMS if not sound and alone and e0.native else "",
        reason="" if sound else f"{error:.3g} meV/atom off, allowed {BUDGET:g}; {where}, {ratio:.3g} times the noise of a sum of {count:,} terms",
    )  # fmt: skip


def judge_model(context: Context) -> Record:
    """Upstream's whole model in float32 on atoms without neighbours, all with a large E0: what its forward really adds up."""
    fmt, backend = FLOAT32, context.reference_backend
    graph = _isolated(context)
    block = backend.model.get_submodule("atomic_energies_fn")

    def constant(t: torch.Tensor) -> torch.Tensor:
        return torch.full_like(t, CARBON_E0) if t.is_floating_point() else t

    with replaced(block, constant), replaced(backend.model, to_dtype(fmt.storage)):
        low = {k: v.to(fmt.storage) if v.is_floating_point() else v for k, v in graph.items()}
        out = evaluate(backend.model, low, compute_force=False)
    with replaced(block, constant):
        true = float(energies(backend.model, graph)[0])
    error = abs(float(out["energy"][0]) - true) * 1e3 / ISOLATED
    sound = error <= BUDGET
    e0 = torch.full((ISOLATED,), CARBON_E0, dtype=fmt.storage)
    added = in_native_order(e0, torch.zeros(ISOLATED, dtype=torch.long), 1)
    native = float(added[0]) + true - ISOLATED * CARBON_E0 if added is not None else math.nan  # its sum alone goes wrong
    nodes = abs(exact_sum(out["node_energy"].to(torch.float64)) - true) * 1e3 / ISOLATED
    return Record(
        check=NAME, subject=f"model, {ISOLATED:,} isolated atoms", format=fmt.name, variant=UPSTREAM, verdict="pass" if sound else "fail",
        ratio=error / BUDGET if math.isfinite(error) else None, limit=1.0,
        cause=EQUAL_TERMS if not sound and abs(float(out["energy"][0]) - native) * 1e3 / ISOLATED <= BUDGET else "",
        detail=figures({"error_meV_per_atom": error if math.isfinite(error) else None, "node_energies_summed_in_float64_meV_per_atom": nodes}),
        reason="" if sound else f"{error:.3g} meV/atom off, allowed {BUDGET:g}; the sum of E0 alone: node energies added in float64 give {nodes:.2g}",
    )  # fmt: skip


def _isolated(context: Context) -> Tensors:
    backend = context.reference_backend
    model = context.model
    made = make_graph([Structure(model.elements[:1], [[0.0, 0.0, 0.0]])], model.elements, model.r_max, model.heads, model.inputs)
    own = ("node_attrs", "positions", "batch", "charges", *(entry.name for entry in model.inputs if entry.per_atom))
    rows = {k: v.expand(ISOLATED, *v.shape[1:]).clone() for k, v in made.items() if k in own}
    rows["positions"] = rows["positions"] + 1.0
    return {k: v.to(backend.device) for k, v in (made | rows | {"ptr": torch.tensor([0, ISOLATED])}).items()}


def energy(context: Context, system: str) -> list[Record]:
    """Every size and format, as upstream and with the remedy, on the system's mix of elements and on carbon of a large E0."""
    seen = census(context, system)
    cases = [many_atoms(context, system, seen, n) for n in SIZES] + [carbon(context, n) for n in CARBON_SIZES]
    records = [finding for atoms in cases for fmt in context.formats for finding in judge_energy(context, atoms, fmt)]
    return [*records, judge_model(context)] if FLOAT32 in context.formats else records


def judge_scatter(context: Context, system: str, block: str, fmt: Format, neighbours: int) -> Record:
    """Upstream's message scatter of many neighbours, against the exact sum of the stored messages."""
    device = context.reference_backend.device.type
    src, index = messages(context, system, block, neighbours, RECEIVERS)
    low = src.to(fmt.storage)
    got = scatter(low, index, 0, RECEIVERS).to(torch.float64)
    subject = f"{block}, {neighbours:,} neighbours"
    wide = low.to(torch.float64).reshape(RECEIVERS, neighbours, -1)
    exact, true = wide.sum(1), src.reshape(RECEIVERS, neighbours, -1).sum(1)
    if float(exact.abs().max()) > fmt.largest or not bool(torch.isfinite(wide).all()):
        reason = f"range: sums of messages reach {float(true.abs().max()):.3g}, {fmt.name} holds {fmt.largest:.6g}"
        return refused({"check": NAME, "subject": subject, "format": fmt.name, "system": system}, Unsupported("out-of-range", reason))
    roundoff = fmt.on(device)
    scale = torch.stack([_scale(w, e, roundoff["scatter"], roundoff["operation"]) for w, e in zip(wide, exact, strict=True)])
    together = _together(wide.reshape(-1, wide.shape[-1]), index, exact)
    scale = torch.hypot(scale, roundoff["scatter"] * together)
    error, size = (got - exact).square().mean().sqrt(), scale.square().mean().sqrt()
    ratio = float(error / size) if float(size) > 0 else (0.0 if float(error) == 0 else math.inf)
    limit = widened(context.tolerances.universal.rms, UNIFORM_SPREAD / math.sqrt(got.numel()))
    relative = float((got - true).square().mean().sqrt() / true.square().mean().sqrt())
    worst = int(((got - exact).abs() / scale.clamp_min(1e-300)).nan_to_num(nan=math.inf).argmax())
    sound = ratio <= limit
    return Record(
        check=NAME, subject=subject, format=fmt.name, system=system, verdict="pass" if sound else "fail",
        ratio=ratio if math.isfinite(ratio) else None, limit=limit,
        detail=figures({"relative_error": relative if math.isfinite(relative) else None, "neighbours": float(neighbours)}),
        worst=f"atom {worst // got.shape[1]}, channel {worst % got.shape[1]}",
        reason="" if sound else f"{block}: out errs by {ratio:.3g} times the noise of a sum of {neighbours:,} messages",
    )  # fmt: skip


def scatters(context: Context, system: str) -> list[Record]:
    """The last message scatter, whose messages are the widest, for every number of neighbours and format."""
    blocks = [b.name for b in context.library(system).blocks() if b.name.endswith(".scatter") and not context.library(system).refused(b.name)]
    if not blocks:
        reason = "the model has no message scatter of its own"
        return [refused({"check": NAME, "subject": "message scatter", "system": system}, Unsupported("not-applicable", reason))]
    return [judge_scatter(context, system, blocks[-1], fmt, k) for k in NEIGHBOURS for fmt in context.formats]


def keys(context: Context) -> list[Key]:
    """Energies and messages, of the first system."""
    return [Key(NAME, subject, system=next(iter(context.systems))) for subject in ("energy", "messages")]


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One of the two."""
    backend = context.backend(REFERENCE_BACKEND)  # the sums are upstream's own functions, the same for every backend
    if isinstance(backend, Unsupported):
        return [refused({"check": NAME, "subject": key.subject, "backend": REFERENCE_BACKEND, "system": key.system}, backend)]
    records = (energy if key.subject == "energy" else scatters)(context, key.system)
    return [f.model_copy(update={"system": key.system}) for f in records]


INSPECTION = Inspection(NAME, keys, run)
