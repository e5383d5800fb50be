"""The projects and their numbers, as read in their test trees in 2026."""

from __future__ import annotations

from tests.faults.deciders.rules import Computed, Decider, Fixed, TwiceThePlainError


def _both(float32: float, float64: float) -> dict[str, float]:
    return {"float32": float32, "float64": float64}


# torch.testing.assert_close: (rtol, atol) of each type are torch's own defaults
_ATOL = {"float64": 1e-7, "float32": 1e-5, "tf32": 1e-5, "bfloat16": 1e-5, "float16": 1e-5}
_RTOL = {"float64": 1e-7, "float32": 1.3e-6, "tf32": 1.3e-6, "bfloat16": 1.6e-2, "float16": 1e-3}
_CUEQ = {"float64": 1e-9, "float32": 1e-4, "float16": 0.25, "bfloat16": 4.0}

DECIDERS: tuple[Decider, ...] = (
    Fixed(
        "MACE", "tests/test_cueq_oeq.py: assert_close defaults, gradients 1e-6, float64 alone",
        {"float64": 1e-7}, {"float64": 1e-7}, {"float64": 1e-6},
    ),
    Fixed("MACE's defaults in every format", "torch.testing.assert_close without arguments; no project does so in 16 bit", _ATOL, _RTOL),
    Fixed(
        "MACE rewrite", "tests/golden/harness.py: float32 5e-5 + 1e-3 relative; float64 1e-6, accelerated 1e-5",
        _both(5e-5, 1e-6), {"float32": 1e-3}, accelerated={"float64": 1e-5},
    ),
    Fixed("cuEquivariance", "its torch tests: absolute, gradients ten times as wide", _CUEQ, gradients={f: 10 * t for f, t in _CUEQ.items()}),
    Fixed("OpenEquivariance", "benchmark/correctness.py: absolute, the same for both formats", _both(1e-5, 1e-5), gradients=_both(3e-4, 3e-4)),
    Fixed("NequIP, equivariance", "nequip/utils/test.py; derivatives by finite differences only", _both(1e-3, 1e-10), gradients=None),
    Fixed("NequIP, model", "nequip/utils/test.py", _both(5e-5, 1e-7)),
    Fixed("NequIP, kernels", "unittests/", _both(1e-5, 1e-10)),
    Fixed("e3nn", "util/test.py: absolute, results only; NaN passes", _both(1e-3, 1e-9), gradients=None, nan_passes=True),
    Fixed("FlashTP", "its tests print 1e-4 and do not assert it; taken as asserted here", _both(1e-4, 1e-4)),
    Fixed("EquiTriton", "its tests: 1e-4 + 1e-3 relative", _both(1e-4, 1e-4), _both(1e-3, 1e-3)),
    TwiceThePlainError("FlashAttention", "tests/: at most twice the plain error + 1e-5", 1e-5),
    TwiceThePlainError("FlashAttention, later", "tests/cute: at most twice the plain error + 2 |x + 0.3 - 0.3 - x|", None),
    Computed(),
)  # fmt: skip
