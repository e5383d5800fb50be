"""What distance does: smoothness through the cut-off, edges of no length and of too much, atoms without neighbours, large indices."""

from __future__ import annotations

import math
from itertools import product

import torch
from ase import Atoms

from mpcheck.adapters.blocks import leaf_modules
from mpcheck.adapters.steps import edge_vectors, energy_sum
from mpcheck.checks.physics.structure import Case, Values, difference_ratio, evaluate, limit_of, noise, quantities, rms
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

# An envelope 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2) has a threefold zero at x = 1 for every p (Gasteiger et
# al., ICLR 2020, eq. 8), so that energies vanish at least as the third power of the distance to r_max, forces as the second.
ORDERS = {"energy": 3.0, "forces": 2.0}
HALF = 0.5  # an order measured from one halving is off by the next term's share, which a half exceeds ten times at these steps
FIRST_STEP = 0.04  # of r_max; halved
HALVINGS = 6
CLEAR = 1e3  # noise: a difference below it has no order
PAIRS = 9


def _trio(symbols: tuple[str, str, str], r_max: float, distance: float) -> Atoms:
    """A central atom, a neighbour at half of r_max, and opposite to it an atom at a distance: its only edge is to the centre."""
    return Atoms(list(symbols), [[0, 0, 0], [-0.5 * r_max, 0.1 * r_max, 0], [0.6 * distance, 0, 0.8 * distance]])


def smoothness(case: Case) -> list[Record]:
    """Energies and forces as an atom leaves the cut-off sphere: no jump, and the order at which they vanish."""
    elements, r_max = case.context.model.elements, case.context.model.r_max
    kinds = [(a, elements[(i + 1) % len(elements)], b) for i, (a, b) in enumerate(list(product(elements, elements))[:PAIRS])]
    steps = [r_max * FIRST_STEP / 2**k for k in range(HALVINGS)]
    far = _outputs(case, [_trio(k, r_max, 1.2 * r_max) for k in kinds])
    graph = case.graph(*[_trio(k, r_max, r_max - steps[-1]) for k in kinds])
    scale = noise(case, graph, "smoothness")
    near = [_outputs(case, [_trio(k, r_max, r_max - s) for k in kinds]) for s in steps]
    at = _outputs(case, [_trio(k, r_max, r_max * (1 - 1e-12)) for k in kinds])
    records = []
    for name, order in ORDERS.items():
        records.append(_order(case, name, order, [_size(n[name] - far[name], len(kinds)) for n in near], _size(scale[name], len(kinds)), kinds))
        jump = difference_ratio(at[name], far[name], scale[name])
        reason = f"{name} jumps by {float((at[name] - far[name]).abs().max()):.3g} where an atom passes r_max = {r_max:g} Å"
        metrics = {"jump": float((at[name] - far[name]).abs().max()), "scale": rms(scale[name])}
        records.append(case.finding(jump, limit=limit_of(case, len(kinds)), variant=f"{name}, jump", reason=reason, metrics=metrics))
    return records


def _outputs(case: Case, frames: list[Atoms]) -> Values:
    """Energies [frames] and, of the atom that moves, forces [frames * 3, 3]."""
    graph = case.graph(*frames)
    return quantities(evaluate(case.model, graph), graph)


def _size(difference: torch.Tensor, kinds: int) -> torch.Tensor:
    """Norm of a difference by kind [kinds]."""
    norms: torch.Tensor = torch.linalg.vector_norm(difference.reshape(kinds, -1), dim=1)
    return norms


def _order(case: Case, name: str, order: float, sizes: list[torch.Tensor], scale: torch.Tensor, kinds: list[tuple[str, str, str]]) -> Record:
    """The order from the smallest step whose difference is clear of noise, the lowest over all kinds of atoms."""
    table = torch.stack(sizes)
    orders = {}
    for i, kind in enumerate(kinds):
        clear = [k for k in range(len(sizes)) if not float(table[k, i]) <= CLEAR * float(scale[i])]
        if len(clear) >= 2 and clear == list(range(len(clear))):
            last = clear[-1]
            orders[kind] = math.log2(float(table[last - 1, i]) / float(table[last, i])) if math.isfinite(float(table[last, i])) else math.nan
    if not orders:
        return case.finding(None, variant=name, verdict="inconclusive", reason="degenerate: nothing changes as an atom passes r_max")
    worst = min(orders, key=lambda k: orders[k] if math.isfinite(orders[k]) else -math.inf)
    measured = orders[worst]
    ratio = order / measured if measured > 0 else math.inf
    reason = f"{name} of {worst[2]} leaving {worst[0]} vanishes as the power {measured:.2f} of the distance to r_max, not {order:g}"
    metrics = {"order": measured, "expected_order": order, "kinds": float(len(orders))}
    return case.finding(ratio, limit=order / (order - HALF), variant=name, reason=reason, worst=f"{worst[2]} beside {worst[0]}", metrics=metrics)


def cluster(case: Case) -> Atoms:
    """Five atoms of all elements, some pairs within r_max and some beyond it."""
    elements, r_max = case.context.model.elements, case.context.model.r_max
    places = torch.tensor([[0, 0, 0], [0.4, 0.1, 0], [0.1, 0.5, 0.2], [0.7, 0.6, 0.1], [1.3, 0.2, 0.4]], dtype=torch.float64) * r_max
    return Atoms([elements[i % len(elements)] for i in range(5)], places.numpy())


def edges(case: Case) -> list[Record]:
    """Edges beyond r_max, near and very far, add nothing; an edge of no length leaves numbers."""
    frame, r_max = cluster(case), case.context.model.r_max
    frame = frame + Atoms(frame.symbols[:1], [[3.0 * r_max, 0.0, 0.0]])
    graph = case.graph(frame)
    # moved afterwards: upstream's neighbour list takes time and memory with the volume around the atoms
    graph["positions"][-1, 0] = 1000.0 * r_max
    without = quantities(evaluate(case.model, graph), graph)
    pairs = torch.combinations(torch.arange(len(frame)), 2).T.to(case.device)
    pairs = torch.cat([pairs, pairs.flip(0)], dim=1)
    lengths = (graph["positions"][pairs[0]] - graph["positions"][pairs[1]]).norm(dim=1)
    beyond = pairs[:, lengths >= r_max]
    nothing = torch.zeros(beyond.shape[1], 3, dtype=torch.float64, device=case.device)
    longer = {
        **graph, "edge_index": torch.cat([graph["edge_index"], beyond], dim=1),
        "shifts": torch.cat([graph["shifts"], nothing]), "unit_shifts": torch.cat([graph["unit_shifts"], nothing]),
    }  # fmt: skip
    with_them = quantities(evaluate(case.model, longer), longer)
    same = all(torch.equal(with_them[n], without[n]) for n in ("energy", "forces"))
    scale = without if same else noise(case, graph, "edges")
    records = []
    for name in ("energy", "forces"):
        change = float((with_them[name] - without[name]).abs().max())
        reason = f"{beyond.shape[1]} edges of {r_max:g} Å and more change the {name} by {change:.3g}"
        ratio = difference_ratio(with_them[name], without[name], scale[name])
        metrics = {"edges": float(beyond.shape[1]), "change": change, "longest_A": float(lengths.max())}
        records.append(
            case.finding(ratio, limit=limit_of(case, without[name].numel()), variant=f"{name}, beyond r_max", reason=reason, metrics=metrics)
        )
    return [*records, _zero_length(case)]


def _zero_length(case: Case) -> Record:
    """Two atoms in one place: a clash in a generated structure, or a wrapped copy of an atom."""
    frame = cluster(case)
    frame.positions[1] = frame.positions[0]
    graph = case.graph(frame)
    first: list[str] = []
    handles = []
    for name, module in leaf_modules(case.model):

        def watch(_module: object, _inputs: object, output: object, name: str = name) -> None:
            if isinstance(output, torch.Tensor) and output.is_floating_point() and not bool(torch.isfinite(output).all()):
                first.append(name)

        handles.append(module.register_forward_hook(watch))
    try:
        out = evaluate(case.model, graph)
    finally:
        for handle in handles:
            handle.remove()
    lost = {k: int((~torch.isfinite(out[k])).sum()) for k in ("energy", "forces")}
    metrics = {"nonfinite_energies": float(lost["energy"]), "nonfinite_forces": float(lost["forces"])}
    where = f", first in {first[0]}" if first else ", first in the backward pass"
    reason = f"two atoms in one place: {lost['energy']} energies and {lost['forces']} force components are not finite{where}"
    ratio = 0.0 if not any(lost.values()) else math.inf
    return case.finding(
        ratio, variant="zero-length", reason=reason, worst=first[0] if first else "", metrics=metrics, block=first[0] if first else ""
    )


def empty(case: Case) -> list[Record]:
    """Atoms without neighbours: finite energies, no forces, and the same beside another that is out of reach."""
    elements, r_max = case.context.model.elements, case.context.model.r_max
    frames = [Atoms([s], [[0.3, -0.2, 0.1]]) for s in elements]
    graph = case.graph(*frames)
    alone = evaluate(case.model, graph)
    pair = Atoms([elements[0], elements[-1]], [[0, 0, 0], [10 * r_max, 0, 0]])
    wide = case.graph(pair)
    both = evaluate(case.model, wide)
    scale = noise(case, graph, "empty")
    lost = int((~torch.isfinite(alone["energy"])).sum() + (~torch.isfinite(alone["forces"])).sum())
    pushed = float(torch.cat([alone["forces"], both["forces"]]).abs().max())
    reason = f"atoms without neighbours: {lost} values are not finite, the largest force is {pushed:.3g} eV/Å instead of zero"
    table = case.context.reference_backend.model.get_submodule("atomic_energies_fn").get_buffer("atomic_energies")
    reference = table.reshape(-1, len(elements))[0]
    own = alone["energy"].cpu() - reference.cpu()
    metrics: dict[str, float | str | bool] = {f"energy_less_E0_{s}_eV": float(e) for s, e in zip(elements[:8], own, strict=False)}
    # what float64 resolves of an energy over the distance that a force acts on
    resolved = ROUNDOFF * float(torch.cat([alone["energy"], both["energy"]]).abs().max()) / r_max
    ratio = math.inf if lost or not (pushed == 0.0 or resolved > 0) else pushed / resolved if pushed else 0.0
    first = case.finding(ratio, variant="no edges", reason=reason, metrics=metrics)
    total = alone["energy"][:1] + alone["energy"][-1:]
    ratio = difference_ratio(both["energy"], total, scale["energy"][:1] + scale["energy"][-1:])
    reason = f"two atoms out of reach have {float(both['energy'][0]):.9g} eV, not the sum {float(total[0]):.9g} eV of each alone"
    return [first, case.finding(ratio, limit=limit_of(case, 1), variant="out of reach", reason=reason)]


def indices(case: Case) -> list[Record]:
    """Gathers beyond 2^31 elements and sums beyond 2^24 rows find their own row (32-bit offsets and float32 counters do not)."""
    return [_gather(case), _far_sum(case)]


def _gather(case: Case) -> Record:
    rows = 2**31 // 3 + 1024  # times three components: flat offsets need more than 31 bits
    try:
        positions = torch.empty(rows, 3, dtype=torch.bfloat16, device=case.device)  # 4.3 GB of addresses, of which four rows are touched
    except (RuntimeError, MemoryError) as error:
        return case.finding(None, variant="gather", verdict="unsupported", reason=f"no room for 2^31 elements: {str(error).splitlines()[0][:80]}")
    index = torch.tensor([[0, rows - 1, 7], [rows - 1, rows - 2, rows - 1]], device=case.device)
    written = {0: [1.0, 2.0, 4.0], 7: [-3.0, 0.0, 1.0], rows - 2: [16.0, 5.0, 9.0], rows - 1: [8.0, -2.0, 3.0]}
    places = {row: torch.tensor(value) for row, value in written.items()}
    for row, value in places.items():
        positions[row] = value.to(positions)
    vectors, _ = edge_vectors(positions, index, torch.zeros(3, 3, dtype=torch.bfloat16, device=case.device))
    expected = torch.stack([places[j] - places[i] for i, j in index.T.tolist()])
    wrong = int((vectors.cpu().float() != expected).any(1).sum())
    reason = f"edge vectors of atoms beyond 2^31 elements: {wrong} of 3 are wrong"
    return case.finding(0.0 if wrong == 0 else math.inf, variant="gather", reason=reason, metrics={"rows": float(rows)})


def _far_sum(case: Case) -> Record:
    rows = 2**24 + 8
    index = torch.tensor([2**24 + 1, 2**24, rows - 1, 2**24 + 1, 0], device=case.device)
    src = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0], dtype=torch.bfloat16, device=case.device)
    sums = energy_sum(src, index, dim=0, dim_size=rows)
    expected = {2**24 + 1: 9.0, 2**24: 2.0, rows - 1: 4.0, 0: 16.0}
    wrong = sum(float(sums[row]) != value for row, value in expected.items()) + int(float(sums.float().sum()) != 31.0)
    reason = f"sums into {rows} rows: {wrong} of {len(expected) + 1} are wrong"
    return case.finding(0.0 if wrong == 0 else math.inf, variant="sum", reason=reason, metrics={"rows": float(rows)})
