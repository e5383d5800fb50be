"""What a record holds besides its conclusion: figures, typed by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mpcheck._files.yaml import Strict
from mpcheck.records.tensors import Number, Tensors

Value = Number | str | bool | list[str]


class TypedFigures(Strict):
    """What figures of every kind have."""

    @property
    def figures(self) -> dict[str, Any]:
        """Figures by name, those that there are."""
        return {name: value for name, value in self if value is not None and name != "kind"}


class Latency(TypedFigures):
    """Seconds of a benchmark, and what was decided of them: checks ``latency``, ``first-call`` and ``new-shape``. Units are in the names.

    Attributes:
        decision: of the comparison; None where nothing was compared. effect, low, high: change and its interval; detectable: the least
            change that would have been seen; p_corrected: for all benchmarks of the run.
        launches, base_launches: processes that it was measured in; launches_needed: that would decide it; None where none would.
        yardstick: the unit of machine speed that both sides are in.
        q05_ms … q95_ms: quantiles of single calls, of a profile session.
        agreement: whether clocks of a GPU agree; throttle_reasons: why it lowered its frequency.
        least_ms: of first calls: the least change that matters.
    """

    kind: Literal["latency"] = "latency"
    decision: str | None = None
    effect_percent: Number = None
    low_percent: Number = None
    high_percent: Number = None
    detectable_percent: Number = None
    p_corrected: Number = None
    launches: Number = None
    launches_needed: Number = None
    yardstick: str | None = None
    base_launches: Number = None
    median_ms: Number = None
    base_median_ms: Number = None
    spread_percent: Number = None
    first_call_ms: Number = None
    first_calls_ms: Number = None
    base_first_calls_ms: Number = None
    least_ms: Number = None
    rounds: Number = None
    waiting_percent: Number = None
    q05_ms: Number = None
    q25_ms: Number = None
    q50_ms: Number = None
    q75_ms: Number = None
    q95_ms: Number = None
    device_ms: Number = None
    joules: Number = None
    event_ms: Number = None
    cold_ms: Number = None
    graph_ms: Number = None
    graph_reason: str | None = None
    kernels_ms: Number = None
    kernels: Number = None
    launch_share: Number = None
    agreement: str | None = None
    joules_reason: str | None = None
    sm_mhz_median: Number = None
    sm_mhz_max: Number = None
    throttled_share: Number = None
    throttle_reasons: list[str] | None = None
    watts_median: Number = None
    conditions_reason: str | None = None


class Cost(TypedFigures):
    """What one call costs, counted: check ``cost``."""

    kind: Literal["cost"] = "cost"
    operations: Number = None
    launches: Number = None
    multiply_adds: Number = None
    bytes_moved: Number = None
    casts: Number = None
    peak_bytes: Number = None
    graph_breaks: Number = None
    syncs: Number = None
    round_trips: Number = None


class CostModel(TypedFigures):
    """What a block must cost by the model of costs beside what was counted: check ``cost-model``."""

    kind: Literal["cost-model"] = "cost-model"
    formula: str
    predicted_multiply_adds: Number
    counted_multiply_adds: Number
    counted_over_predicted: Number
    activation_bytes: Number
    peak_bytes: Number


class Profile(TypedFigures):
    """A block's own times and kernels per call of the model: check ``profile``; of the model itself figures of the whole map, too."""

    kind: Literal["profile"] = "profile"
    parent: str = ""
    group: str = ""
    depth: Number = 0
    calls: Number = None
    dtype: str = ""
    host_ms: Number = None
    device_ms: Number = None
    waiting_ms: Number = None
    launches: Number = None
    backward_host_ms: Number = None
    backward_device_ms: Number = None
    backward_waiting_ms: Number = None
    backward_launches: Number = None
    total_host_ms: Number = None
    total_device_ms: Number = None
    total_launches: Number = None
    share: Number = None
    bound: str = ""
    end_to_end_ms: Number = None
    unprofiled_ms: Number = None
    profiling_factor: Number = None
    kept_calls: Number = None
    made_calls: Number = None


class Sweep(TypedFigures):
    """A point of the sweep over batch sizes and angular orders, and its speed-up on e3nn: check ``sweep``."""

    kind: Literal["sweep"] = "sweep"
    l_max: Number
    batch: Number = None
    atoms: Number = None
    edges: Number = None
    rounds: Number = None
    median_ms: Number = None
    q25_ms: Number = None
    q75_ms: Number = None
    speedup: Number = None
    speedup_low: Number = None
    speedup_high: Number = None


class PolicyErrors(TypedFigures):
    """What a model errs by under a policy, against float64: check ``policy``. RMS over structures where nothing else is said.

    Attributes:
        energy_*, interaction_*: AE_E and RAE_E of the total, and without energies of isolated atoms. force_*: AE_F, RAE_F, all components.
        predicted_*: what the model's sensitivities promised. contact_*: of close contacts. hessian_relative: of second derivatives.
        roughness_*: of scans of two atoms: the largest jump of the error, turned signs. told: what a reader must know, a line each.
    """

    kind: Literal["policy-errors"] = "policy-errors"
    structures: Number = None
    atoms: Number = None
    energy_meV_per_atom: Number = None
    energy_mean_meV_per_atom: Number = None
    energy_p95_meV_per_atom: Number = None
    energy_relative: Number = None
    interaction_meV_per_atom: Number = None
    interaction_relative: Number = None
    force_meV_per_A: Number = None
    force_mean_meV_per_A: Number = None
    force_p95_meV_per_A: Number = None
    force_relative: Number = None
    force_cosine: Number = None
    force_worst_meV_per_A: Number = None
    worst_atom: str | None = None
    stress_GPa: Number = None
    stress_meV_per_A3: Number = None
    predicted_energy_meV_per_atom: Number = None
    predicted_force_meV_per_A: Number = None
    predicted_stress_meV_per_A3: Number = None
    contact_force_meV_per_A: Number = None
    hessian_relative: Number = None
    rotation_meV_per_A: Number = None
    roughness_jump_meV: Number = None
    roughness_turned: Number = None
    told: list[str] | None = None


class WholeModel(TypedFigures):
    """A whole model in one format, as its users run it, at a glance: check ``whole-model``.

    Attributes:
        *_error…: RMS against float64 over the given structures; relative: of all forces together. speedup_*: of energy and forces against float64
            on e3nn, timed in turn in the same process, and its 95 % interval.
    """

    kind: Literal["whole-model"] = "whole-model"
    energy_meV_per_atom: Number = None
    force_meV_per_A: Number = None
    force_relative: Number = None
    stress_GPa: Number = None
    median_ms: Number = None
    speedup: Number = None
    speedup_low: Number = None
    speedup_high: Number = None


class PolicySpeed(TypedFigures):
    """What a policy gains: check ``policy-speed``; speed-ups with 95 % intervals, against the plain model on e3nn in the same launches."""

    kind: Literal["policy-speed"] = "policy-speed"
    median_ms: Number = None
    speedup_float64: Number = None
    speedup_float64_low: Number = None
    speedup_float64_high: Number = None
    speedup_float32: Number = None
    speedup_float32_low: Number = None
    speedup_float32_high: Number = None
    peak_bytes: Number = None
    stored_bytes: Number = None
    first_s: Number = None
    atoms: Number = None
    edges: Number = None
    batch: Number = None
    launches: Number = None


class PolicyBlock(TypedFigures):
    """What a block spends of a policy's error, and how far it may be lowered: check ``policy-budget``.

    Attributes:
        *_share: of the sum of squares. *_bound: worst case of an error of the block's own roundoff.
        alone, together: lowest format within the budget where this block alone is lowered, and where all are; *_reason: why not lower.
    """

    kind: Literal["policy-block"] = "policy-block"
    role: str = ""
    runs_in: str = ""
    energy_meV_per_atom: Number = None
    force_meV_per_A: Number = None
    stress_meV_per_A3: Number = None
    energy_share: Number = None
    force_share: Number = None
    stress_share: Number = None
    energy_bound: Number = None
    force_bound: Number = None
    alone: str | None = None
    alone_reason: str | None = None
    together: str | None = None
    together_reason: str | None = None


class PolicyChoice(TypedFigures):
    """What a search for the fastest policy within a budget ended with: check ``policy-search``."""

    kind: Literal["policy-choice"] = "policy-choice"
    budget: str = ""
    policy: str | None = None
    title: str | None = None
    rules: str | None = None
    energy_meV_per_atom: Number = None
    force_meV_per_A: Number = None
    predicted_energy_meV_per_atom: Number = None
    predicted_force_meV_per_A: Number = None
    speedup_float64: Number = None
    speedup_float64_low: Number = None
    speedup_float64_high: Number = None
    refused: list[str] | None = None


class TypeShare(Strict):
    """A number type's share of operations and of multiply-adds, percent; None where it has none."""

    dtype: str
    operations: Number = None
    multiply_adds: Number = None


class Types(TypedFigures):
    """Which number types a block computes in, of one forward and one backward pass: check ``dtypes``.

    Attributes:
        casts: all of them; cast: by ``FROM to TO``. promotions: operations on two types.
    """

    kind: Literal["types"] = "types"
    operations: float
    multiply_adds: float
    casts: float
    promotions: float
    shares: list[TypeShare] = []
    cast: dict[str, float] = {}


class Figure(Strict):
    """One figure for people: its unit is in its name where ``unit`` is empty. A value of None is not finite."""

    name: str
    value: Value
    unit: str = ""


class ListedFigures(Strict):
    """Figures of checks whose verdict is their ratio: these say how it came about."""

    kind: Literal["figures"] = "figures"
    listed: list[Figure]

    @property
    def figures(self) -> dict[str, Any]:
        """By name."""
        return {figure.name: figure.value for figure in self.listed}


PolicyDetail = PolicyErrors | PolicySpeed | PolicyBlock | PolicyChoice | WholeModel
Detail = Annotated[Tensors | Latency | Cost | CostModel | Profile | Sweep | Types | PolicyDetail | ListedFigures, Field(discriminator="kind")]


def figures(named: Mapping[str, Any]) -> ListedFigures | None:
    """Figures by name as a record's detail; None of none."""
    return ListedFigures(listed=[Figure(name=name, value=value) for name, value in named.items()]) if named else None
