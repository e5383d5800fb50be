"""One optimisation step, replayed at a format and on a backend, and judged by the noise scale of each quantity.

What a step is judged on, and why so:

- **Labels** are made, not read: the float64 model's own energies, forces and stresses with a seeded disturbance of the size of a usual error
  (:mod:`mpcheck.learning.step.labels`). With labels that the model meets exactly every gradient would be zero, and nothing judged.
- **The update is judged given its state.** Adam's first step is ``lr * sign(g)`` wherever ``|g|`` is above ``eps``: rounding flips the sign of
  small gradients, and no scale of first order describes that. So the optimiser has seen :data:`WARM` gradients before, in float64, each of
  other labels, by a learning rate of zero: its moments are those of a training under way, and the weights are still the model's, so that
  every backend starts at the same point in its own parametrisation. From there the step is smooth in the gradient but for AMSGrad's maximum, which
  is continuous.
- **What a weight changes by is judged, besides the weight.** A step moves a weight by a hundredth; an update that is wrong altogether hides
  in the weight's own digits. The change has the rounding of the new weight in its scale, which is most of it in 16 bits.
"""

from __future__ import annotations

WARM = 3
"""Gradients that the optimiser has seen before the step that is judged."""
