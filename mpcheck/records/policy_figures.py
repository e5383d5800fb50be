"""What records of whole models in lower precision hold: errors, speed, the error budget, what a search found."""

from __future__ import annotations

from typing import Literal

from mpcheck.records.tensors import Number
from mpcheck.records.typed_figures import TypedFigures


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


class PolicySize(PolicySpeed):
    """The same on one size of a supercell or batch, with the errors of the call that was timed: check ``policy-size``.

    Attributes:
        total_eV, force_eV_per_A: float64's energy of a structure, and RMS force. offset_eV: error of the energy, with its sign.
        energy_*, interaction_*, force_*: RMS errors, of the total and without energies of isolated atoms.
    """

    kind: Literal["policy-size"] = "policy-size"  # type: ignore[assignment]  # its own
    total_eV: Number = None
    offset_eV: Number = None
    energy_meV_per_atom: Number = None
    interaction_meV_per_atom: Number = None
    force_eV_per_A: Number = None
    force_meV_per_A: Number = None
    force_relative: Number = None


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


PolicyDetail = PolicyErrors | PolicySpeed | PolicySize | PolicyBlock | PolicyChoice | WholeModel
