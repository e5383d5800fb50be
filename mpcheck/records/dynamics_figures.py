"""What records of molecular dynamics hold: a run, an observable compared, a law of physics checked, divergence, speed, and traces to draw."""

from __future__ import annotations

from typing import Literal

from mpcheck.records.tensors import Number
from mpcheck.records.typed_figures import TypedFigures

Decision = Literal["equivalent", "different", "cannot tell"]


class DynamicsRun(TypedFigures):
    """One run: check ``md-run``. Means over what was measured, with their standard deviations.

    Attributes:
        ended: ``finished``, or why it was stopped. ps: how long it ran. drift: of the conserved energy, NaN-free; NVE and NPT.
        drift_over_kinetic: the drift over the run by the standard deviation of the kinetic energy. momentum_A_per_ps: largest velocity of
            the centre of mass. largest_coordinate_A: how far from the origin atoms were.
    """

    kind: Literal["dynamics-run"] = "dynamics-run"
    ended: str
    seed: Number = None
    ps: Number = None
    steps: Number = None
    temperature_K: Number = None
    temperature_std_K: Number = None
    potential_meV_per_atom: Number = None
    potential_std_meV_per_atom: Number = None
    pressure_GPa: Number = None
    pressure_std_GPa: Number = None
    density_g_per_cm3: Number = None
    density_std_g_per_cm3: Number = None
    drift_meV_per_atom_ps: Number = None
    drift_over_kinetic: Number = None
    momentum_A_per_ps: Number = None
    angular_momentum: Number = None
    msd_A2: Number = None
    diffusion_A2_per_ps: Number = None
    largest_force_eV_per_A: Number = None
    largest_coordinate_A: Number = None
    steps_per_second: Number = None


class DynamicsDifference(TypedFigures):
    """One observable of a policy against float64: check ``md-equivalence``.

    Attributes:
        mean, reference: of the policy and of float64. difference, low, high: with the interval that the decision was taken by.
        margin: what matters, in the same unit. promised, promised_error: the difference that the policy's error on frames of the float64 run
            promises, to first order, and its standard error; None where it cannot be told.
        seeds, effective: replicates, and statistically independent samples. needed_ps: that would decide it.
    """

    kind: Literal["dynamics-difference"] = "dynamics-difference"
    observable: str
    unit: str
    decision: Decision
    reference: Number = None
    mean: Number = None
    difference: Number = None
    low: Number = None
    high: Number = None
    margin: Number = None
    promised: Number = None
    promised_error: Number = None
    seeds: Number = None
    effective: Number = None
    needed_ps: Number = None


class DynamicsLaw(TypedFigures):
    """Something that dynamics must obey, whatever the format: check ``md-physics``.

    Attributes:
        measured, expected: in ``unit``; error: of the measured; sigmas: between the two; p_value: where the test has one.
    """

    kind: Literal["dynamics-law"] = "dynamics-law"
    law: str
    unit: str = ""
    measured: Number = None
    expected: Number = None
    error: Number = None
    sigmas: Number = None
    p_value: Number = None


class DynamicsDivergence(TypedFigures):
    """How a policy's trajectory leaves float64's while that is linear: check ``md-divergence``.

    Attributes:
        lyapunov_per_ps: largest exponent, of float64 against a twin moved by 1e-10 Å. rms_A: of positions at the end of the window; predicted_A:
            from the policy's force error, grown by that exponent. window_fs: where it was compared. force_meV_per_A: the error, RMS.
    """

    kind: Literal["dynamics-divergence"] = "dynamics-divergence"
    lyapunov_per_ps: Number = None
    lyapunov_low_per_ps: Number = None
    lyapunov_high_per_ps: Number = None
    rms_A: Number = None
    predicted_A: Number = None
    window_fs: Number = None
    force_meV_per_A: Number = None
    time_fs: list[float] | None = None
    distance_A: list[float] | None = None
    predicted_distance_A: list[float] | None = None


class DynamicsSpeed(TypedFigures):
    """Steps of a policy: check ``md-speed``.

    Attributes:
        steps_per_second: median over its runs, low and high of them. mega_steps_per_day: millions. speedup: against float64 in the same session.
        overhead_percent: of all that is noted and written, on top of what ASE's steps take.
    """

    kind: Literal["dynamics-speed"] = "dynamics-speed"
    steps_per_second: Number = None
    steps_per_second_low: Number = None
    steps_per_second_high: Number = None
    mega_steps_per_day: Number = None
    ps_per_day: Number = None
    speedup: Number = None
    overhead_percent: Number = None
    runs: Number = None


class DynamicsTrace(TypedFigures):
    """What is drawn of a policy, and how far its traces are from float64's of the same seed: check ``md-trace``.

    Deviations of traces say what noise and chaos make of them, not whether the ensembles differ: :class:`DynamicsDifference` decides that.

    Attributes:
        potential_rmse … force_ratio: over seeds, of traces from the same start (thesis, Table 4.3). Traces are of the first seed, thinned.
        time_ps: of the traces. r_A, rdf: radial distribution function. lag_ps, msd_A2: mean squared displacement.
    """

    kind: Literal["dynamics-trace"] = "dynamics-trace"
    potential_rmse_meV_per_atom: Number = None
    potential_bias_meV_per_atom: Number = None
    temperature_rmse_K: Number = None
    temperature_bias_K: Number = None
    temperature_largest_K: Number = None
    force_ratio: Number = None
    time_ps: list[float] | None = None
    temperature_K: list[float] | None = None
    potential_meV_per_atom: list[float] | None = None
    conserved_meV_per_atom: list[float] | None = None
    density_g_per_cm3: list[float] | None = None
    r_A: list[float] | None = None
    rdf: list[float] | None = None
    pairs: str = ""
    lag_ps: list[float] | None = None
    msd_A2: list[float] | None = None


DynamicsDetail = DynamicsRun | DynamicsDifference | DynamicsLaw | DynamicsDivergence | DynamicsSpeed | DynamicsTrace
