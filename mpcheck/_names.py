"""Names of checks and backends that records speak of."""

from __future__ import annotations

SYMMETRY = ("equivariance", "layout", "mix", "conversion")
AUDIT = ("engagement", "dtypes", "accumulation", "reductions", "graph", "size", "physics", "modes", "outputs", "doors")
LATENCY, COST, FIRST_CALL, NEW_SHAPE = "latency", "cost", "first-call", "new-shape"
BENCH = (LATENCY, COST, FIRST_CALL, NEW_SHAPE)
PRECISION, GOLDEN, SMALL_TWIN, WHOLE, EVERY_ROW, CAPTURED = "precision", "golden", "small-twin", "whole-model", "every-row", "captured"
AUTOCAST = "autocast"
"""What the audit of types calls float32 under autocast, where records have a format."""
POLICY, POLICY_SPEED, POLICY_BUDGET, POLICY_SEARCH, POLICY_SIZE = "policy", "policy-speed", "policy-budget", "policy-search", "policy-size"
POLICIES = (POLICY, POLICY_SPEED, POLICY_BUDGET, POLICY_SEARCH, POLICY_SIZE)
MD_RUN, MD_PHYSICS, MD_DIVERGENCE, MD_EQUIVALENCE, MD_SPEED, MD_TRACE = DYNAMICS = (
    "md-run", "md-physics", "md-divergence", "md-equivalence", "md-speed", "md-trace",
)  # fmt: skip
TRAINING, TRAINING_COMPARED, TRAINING_DYNAMICS = TRAININGS = "training", "training-compared", "training-dynamics"
TRAINING_STEP = "training-step"
"""Check of one optimisation step."""
RANGES = "ranges"
"""Check of how large and how small the numbers of every tensor are."""
COVERAGE = "coverage"
"""Check of the bench session: whether every stored benchmark is still there."""
REFERENCE_BACKEND = "e3nn"
"""The backend whose float64 model is the reference."""
ACCELERATED_BACKEND = "cueq"
"""What is judged besides where the user names no backend."""
UNFUSED = "cueq-unfused"
"""The same on a GPU, with a convolution and its message scatter apart."""
CONVOLVED, HYBRID = "oeq", "oeq-hybrid"
"""Convolutions by OpenEquivariance; the same with cuEquivariance for all else."""
DEFAULT_BACKENDS = (REFERENCE_BACKEND, ACCELERATED_BACKEND)
PROFILE, SWEEP, COST_MODEL = "profile", "sweep", "cost-model"
"""Checks of the profile session, besides :data:`LATENCY`."""
SURVEY_PART, SURVEY_FOUND = "part", "found"
"""Checks of the survey session: how a part of it came out, and what it found."""
HOST, DEVICE = PLACES = ("host", "device")
"""Where references are made."""
SAMPLE, ALL = SAMPLES = ("sample", "all")
"""Which rows of large tensors are judged."""
REGENERATE = "python -m mpcheck.sessions.regenerate"
"""What stores ratios and golden values, from a wheel as from a checkout, where ``nox -s regenerate`` does."""
RUN_VARIABLE = "PYTEST_XDIST_TESTRUNUID"
"""Of the environment of pytest-xdist's workers: the same in all of one run."""
REDUCED_VARIABLE = "MPCHECK_REDUCED_REDUCTIONS"
"""Of the environment: ``off`` where what is judged runs as in a process that has forbidden CUDA to keep partial sums in 16 bits."""
