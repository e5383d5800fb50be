"""What a comparison with a limit amounts to."""

from __future__ import annotations

import math


class Compared:
    """A base for comparisons, which have a ratio in units of noise, and the limit on it."""

    ratio: float
    limit: float

    @property
    def share(self) -> float:
        """Of what is allowed; infinite where the ratio is not a finite number, so that nothing is farther off."""
        return self.ratio / self.limit if math.isfinite(self.ratio) else math.inf

    @property
    def fails(self) -> bool:
        """NaN fails."""
        return not self.ratio <= self.limit
