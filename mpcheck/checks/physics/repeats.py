"""Equal calls in the formats below float64: kernels of one type may fail where those of another do not.

Each format costs calls, so that few are made; what they can miss is computed. A fault that strikes one call in twenty at random
escapes ``n`` calls with the chance ``0.95^n``: 0.36 for the twenty of float32, in which models are run, and 0.81 for the four
of a 16-bit format; one that strikes every twentieth call cannot escape float32. Of those, every
fourth has a backward pass, and so have those that warm up (0.66 for a fault that is there alone).

tf32 is repeated on a GPU only: on a CPU it is float32 whose operands mpcheck itself has rounded, by the same kernels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics import inputs
from mpcheck.checks.physics.structure import Case, noise
from mpcheck.formats import FLOAT32, FLOAT64, TF32, Format
from mpcheck.judge.replay import arithmetic
from mpcheck.records.record import Record
from mpcheck.reference.whole_noise import ROUNDOFF

CALLS = {FLOAT32.name: 20, TF32.name: 20}  # with those that warm up
FEW = 4  # of any other format


def energy_only(model: torch.nn.Module, graph: Tensors) -> Tensors:
    """A call without its backward pass."""
    return {"energy": model({k: v.clone() for k, v in graph.items()}, compute_force=False)["energy"].detach()}


def repeat(case: Case) -> list[Record]:
    """Equal calls of the whole model in float64, and in each other format of the run, there with freed memory full of NaN."""
    records = inputs.repeat(case)
    graph = case.graph(case.atoms)
    scale = noise(case, graph)
    for fmt in case.context.formats:
        if fmt != FLOAT64 and not fmt.emulated(case.device.type):
            records += [f.model_copy(update={"format": fmt.name}) for f in _format(case, fmt, graph, scale)]
    return records


def _format(case: Case, fmt: Format, graph: Tensors, scale: Mapping[str, torch.Tensor]) -> list[Record]:
    """One format of a float64 graph; its noise scale is float64's, larger by the ratio of the unit roundoffs."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    if why := unsupported(backend, WHOLE, fmt):
        return [case.finding(None, variant="dirty memory", verdict="unsupported", reason=why.text)]
    low = {k: v.to(fmt.storage) if v.is_floating_point() else v for k, v in graph.items()}

    def called() -> list[Tensors]:
        with backend.prepared(WHOLE, fmt), arithmetic(fmt, case.device):
            return _calls(case, fmt, low)

    runs = attempt(called)
    if isinstance(runs, Raised):
        reason = f"the whole model does not run in {fmt.name}: {'' if runs.missing else 'raised '}{runs.text}"
        return [case.finding(None, variant="dirty memory", verdict="unsupported" if runs.missing else "fail", reason=reason)]
    finite = [bool(torch.isfinite(run["energy"]).all()) for run in runs]
    if not any(finite):
        reason = f"the energy of this structure is not finite in {fmt.name}"
        return [case.finding(None, variant="dirty memory", verdict="unsupported", reason=reason)]
    wide = [{n: t.to(torch.float64) for n, t in run.items()} for run in runs]
    scales = {n: s * (fmt.u / ROUNDOFF) for n, s in scale.items()}
    warm = wide[: inputs.WARM_UP]
    judged = [inputs.early(case, warm, scales)]
    factor = fmt.u / ROUNDOFF
    return [inputs.repeated(case, "dirty memory", wide[len(warm) :], warm[-1], inputs.RepeatNoise(case, graph, factor), len(warm)), *judged]


def _calls(case: Case, fmt: Format, graph: Tensors) -> list[Tensors]:
    runs: list[Tensors] = []
    for call in range(CALLS.get(fmt.name, FEW)):
        if runs:
            inputs.soil(case.device, inputs.sizes_of(runs[0], graph), fmt.storage)
        backward = call < inputs.WARM_UP or call % 4 == 3
        runs.append(inputs.forward_backward(case.model, graph) if backward else energy_only(case.model, graph))
    return runs
