"""Names of this room's regimes and of what it judges; nothing here imports torch."""

from __future__ import annotations

from typing import Final

PLAIN: Final = "plain"
AMP: Final = "amp"
MASTERS: Final = "masters"
STORED: Final = "stored"
REGIMES = (PLAIN, AMP, MASTERS, STORED)
"""See :class:`mpcheck.learning.step.regimes.Regime`."""
LOSS, GRADIENTS, DIGEST, OPTIMIZER, UPDATE, DERIVATIVE = "loss", "gradients", "digest", "optimizer", "update", "derivative"
SUBJECTS = (LOSS, GRADIENTS, DIGEST, OPTIMIZER, UPDATE, DERIVATIVE)
"""What records are about."""
