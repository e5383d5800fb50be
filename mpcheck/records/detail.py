"""What a record holds besides its conclusion: figures, typed by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from mpcheck._files.yaml import Strict
from mpcheck.records.dynamics_figures import DynamicsDetail
from mpcheck.records.policy_figures import PolicyDetail
from mpcheck.records.range_figures import Ranges
from mpcheck.records.tensors import Number, Tensors
from mpcheck.records.training_figures import TrainingDetail
from mpcheck.records.typed_figures import TypedFigures

Value = Number | str | bool | list[str]


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


Detail = Annotated[
    Tensors | Latency | Cost | CostModel | Profile | Sweep | Types | PolicyDetail | DynamicsDetail | TrainingDetail | Ranges | ListedFigures,
    Field(discriminator="kind"),
]


def figures(named: Mapping[str, Any]) -> ListedFigures | None:
    """Figures by name as a record's detail; None of none."""
    return ListedFigures(listed=[Figure(name=name, value=value) for name, value in named.items()]) if named else None
