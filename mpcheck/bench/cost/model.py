"""What the blocks of a MACE model must cost, from its architecture alone, beside what was counted.

Source: the leading terms of a thesis on speeding up MACE, Eqs. 2.11-2.17, with d_n neighbours of each atom (so N d_n = E
edges), K channels, l_max, N_rad radial functions, N_path coupling paths of a contraction, L of a message. Two of them are far
from what runs, and have a second row, ``as evaluated``, derived from the order in which e3nn's einsums multiply:

* Eq. 2.13 has K^2. MACE's convolution couples each channel with itself ("uvu"), which leaves one K; and e3nn multiplies the
  coefficients with the harmonics first, once for all channels, so that K multiplies (2l_1 + 1)(2l_3 + 1) only: but where two
  paths share their inputs, where it multiplies the whole of Eq. 2.13.
* Eq. 2.14 counts one multiply-add for a path. MACE multiplies with dense tables of (l_max + 1)^(2 nu) (2L + 1) entries, once
  for every path or every element.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpcheck.adapters.facts.architecture import Contraction, Convolution, CouplingPath, Harmonics, LeafFacts, LinearMaps, RadialBasis, RadialMlp
from mpcheck.bench.figures import Fingerprint

EVALUATED = ", as evaluated"
_EXAMPLE_ATOMS = 10
"""Rows that MACE shows to the einsum optimiser when it chooses the order of a symmetric contraction."""
_EXAMPLE_EDGES = 4
"""Rows that e3nn shows it for a tensor product; a constant factor goes to whichever tensor is smallest then."""


@dataclass(frozen=True)
class CostRow:
    """One formula for one block.

    Attributes:
        equation: of the thesis; ``as evaluated`` where the row counts what upstream's code does.
        formula: with the model's numbers.
        multiply_adds: predicted for one forward call; counted: by the fingerprint, None without one.
        activation_bytes: predicted of the block's result (of a perceptron: of every layer); peak_bytes: counted, as above.
    """

    block: str
    equation: str
    formula: str
    multiply_adds: int
    activation_bytes: int
    counted: int | None = None
    peak_bytes: int | None = None

    @property
    def ratio(self) -> float | None:
        """Counted over predicted multiply-adds; None where either is missing or zero."""
        return self.counted / self.multiply_adds if self.counted and self.multiply_adds else None


def predicted(facts: Sequence[LeafFacts], atoms: int, edges: int, item_bytes: int, counted: Mapping[str, Fingerprint] | None = None) -> list[CostRow]:
    """The cost model of one forward call, block by block in the model's order.

    Args:
        facts: see :func:`mpcheck.adapters.facts.architecture.architecture_facts`.
        atoms, edges: of the graph batch.
        item_bytes: of one number in the format: 8, 4 or 2.
        counted: fingerprints of ``forward`` by block; blocks without one keep None.
    """
    rows: list[CostRow] = []
    for fact in facts:
        cost = (counted or {}).get(fact.block)
        for equation, formula, multiply_adds, elements in _formulae(fact, atoms, edges):
            measured = (cost.multiply_adds, cost.peak_bytes) if cost is not None else (None, None)
            rows.append(CostRow(fact.block, equation, formula, multiply_adds, elements * item_bytes, *measured))
    return rows


Row = tuple[str, str, int, int]
"""Equation, formula, multiply-adds, elements of the activation."""


def _formulae(fact: LeafFacts, atoms: int, edges: int) -> list[Row]:
    if isinstance(fact, Harmonics):
        size = (fact.l_max + 1) ** 2
        return [("2.11", f"E (l_max + 1)^2 = {edges:,} x {size}", edges * size, edges * size)]
    if isinstance(fact, RadialBasis):
        return [("2.12", f"E N_rad = {edges:,} x {fact.size}", edges * fact.size, edges * fact.size)]
    if isinstance(fact, RadialMlp):
        return [_mlp(fact, edges)]
    if isinstance(fact, Convolution):
        return _convolution(fact, edges)
    if isinstance(fact, Contraction):
        return _contraction(fact, atoms)
    if isinstance(fact, LinearMaps):
        return [_linear(fact, atoms)]
    elements = atoms * fact.channels * fact.components
    return [("2.15", f"A: N x K x (l_max + 1)^2 = {atoms:,} x {fact.channels} x {fact.components}", 0, elements)]


def _mlp(fact: RadialMlp, edges: int) -> Row:
    products = sum(a * b for a, b in zip(fact.widths, fact.widths[1:], strict=False))
    return (
        "2.12",
        f"E sum(h_i h_i+1) over {'-'.join(map(str, fact.widths))} = {edges:,} x {products:,}",
        edges * products,
        edges * sum(fact.widths[1:]),
    )


def _linear(fact: LinearMaps, atoms: int) -> Row:
    products = fact.elements * sum(a * b * dim for a, b, dim in fact.maps)
    elements = atoms * sum(b * dim for b, dim in {(b, dim): None for _, b, dim in fact.maps})
    by_element = f" x {fact.elements} elements" if fact.elements > 1 else ""
    text = f"N sum(K_in K_out (2l + 1)){by_element} = {atoms:,} x {products:,}"
    return "2.17" if ".linear" in fact.block and fact.block.startswith("products.") else "2.8", text, atoms * products, elements


def dense_path(path: CouplingPath) -> int:
    """``(2l_1 + 1)(2l_2 + 1)(2l_3 + 1)`` of Eq. 2.13."""
    return (2 * path.l1 + 1) * (2 * path.l2 + 1) * (2 * path.l3 + 1)


def evaluated_path(path: CouplingPath) -> int:
    """Multiply-adds of one edge and one "uvu" path by itself, as e3nn's code multiplies for more than one channel.

    With an ``l = 0`` the coefficients are a unit matrix and drop out: the weight times one factor, then times the other. Else
    the harmonics are scaled, multiplied with the coefficients, and the weighted features with both.
    """
    a, b, c, channels = 2 * path.l1 + 1, 2 * path.l2 + 1, 2 * path.l3 + 1, path.channels
    if path.l1 == 0 or path.l2 == 0:
        return channels + channels * c
    if path.l3 == 0:
        return b + channels * a + channels
    return b + channels * a + a * b * c + channels * a * c


def evaluated_paths(paths: Sequence[CouplingPath]) -> tuple[int, int]:
    """Multiply-adds of a "uvu" convolution as e3nn's code multiplies: of every edge, and once.

    Two paths of l > 0 with the same two inputs share the product of those inputs, which has K (2l_1 + 1)(2l_2 + 1) numbers, and
    each multiplies all of them with its coefficients: K times the product of Eq. 2.13 again, more than without sharing.
    """
    coupled = [p for p in paths if min(p.l1, p.l2, p.l3) > 0]
    uses = Counter(p.inputs for p in coupled)
    shared = [p for p in coupled if uses[p.inputs] > 1]
    each, once = sum(evaluated_path(p) for p in paths if p not in shared), 0
    each += sum({p.inputs: p.channels * (2 * p.l1 + 1) * (2 * p.l2 + 1) for p in shared}.values())
    for path in shared:
        each += path.channels * (dense_path(path) + 2 * path.l3 + 1)
        if dense_path(path) < _EXAMPLE_EDGES * path.channels:  # the path's normalisation: of its coefficients, or of its weights
            once += dense_path(path)
        else:
            each += path.channels
    return each, once


def _convolution(fact: Convolution, edges: int) -> list[Row]:
    channels = max((p.channels for p in fact.paths), default=0)
    sums = sum(p.channels**2 * dense_path(p) for p in fact.paths)
    elements = edges * sum(p.channels * (2 * p.l3 + 1) for p in fact.paths)
    thesis = ("2.13", f"E K^2 sum(Π(2l + 1)) = {edges:,} x {sums:,} (K = {channels})", edges * sums, elements)
    if any(p.mode != "uvu" for p in fact.paths):
        return [thesis]
    own, once = evaluated_paths(fact.paths)
    shares = "; K Π(2l + 1) where paths share their inputs" if once else ""
    text = f"E sum(Π(2l + 1) + K (2l_1 + 1)(2l_3 + 1) + ...{shares}) = {edges:,} x {own:,}"
    return [thesis, ("2.13" + EVALUATED, text, edges * own + once, elements)]


def _contraction(fact: Contraction, atoms: int) -> list[Row]:
    paths = sum((2 * o.L + 1) * sum(n.paths for n in o.orders) for o in fact.outputs)
    elements = atoms * fact.channels * paths
    text = f"N K sum(N_path (2L + 1)) = {atoms:,} x {fact.channels} x {paths}"
    own = evaluated_contraction(fact, atoms)
    dense = f"N K (2L + 1) (l_max + 1)^(2 nu) ..., (l_max + 1)^2 = {fact.components}, {fact.elements} elements"
    return [("2.14, 2.16", text, atoms * fact.channels * paths, elements), ("2.14" + EVALUATED, dense, own, elements)]


def evaluated_contraction(fact: Contraction, atoms: int) -> int:
    """Multiply-adds of a symmetric contraction in the order in which MACE's code multiplies.

    Upstream has the order of every einsum chosen when the model is built, for ten atoms, by operations that count double where
    they sum (opt_einsum). The highest order multiplies tables U, weights W, elements z and features x in one of three ways:
    (U W)(z x), ((W z) U) x or ((W z) x) U. A lower order multiplies (W z) U or (U W) z, adds the higher order, and multiplies x.
    Exact from two orders and two elements upwards; with fewer, other ways are as cheap, and torch picks among those.
    """
    total = 0
    for output in fact.outputs:
        for order in output.orders:
            table = (2 * output.L + 1) * fact.components**order.order * fact.channels
            weights = fact.elements * order.paths * fact.channels
            highest = order is output.orders[-1]
            ways = _highest_order(fact, table, weights, order.paths) if highest else _lower_order(fact, table, weights, order.paths)
            chosen = min(ways, key=lambda way: way.once * 2 + _EXAMPLE_ATOMS * (2 * way.summed + way.outer))
            total += chosen.once + atoms * (chosen.summed + chosen.outer)
            if not highest:
                total += atoms * (2 * table + (fact.channels if order.paths == 1 else 0))  # a single path is summed over by itself
    return total


@dataclass(frozen=True)
class _Way:
    """Multiply-adds of one order of multiplication: once for a call, and for each atom where they are summed or not."""

    once: int
    summed: int
    outer: int


def _highest_order(fact: Contraction, table: int, weights: int, paths: int) -> list[_Way]:
    features = fact.channels * fact.components
    return [
        _Way(fact.elements * paths * table, fact.elements * table, fact.elements * features),
        _Way(0, weights + table * paths + table, 0),
        _Way(0, weights + table * paths, paths * features),
    ]


def _lower_order(fact: Contraction, table: int, weights: int, paths: int) -> list[_Way]:
    return [_Way(0, weights + table * paths, 0), _Way(fact.elements * paths * table, fact.elements * table, 0)]


__all__ = ["EVALUATED", "CostRow", "dense_path", "evaluated_contraction", "evaluated_path", "evaluated_paths", "predicted"]
