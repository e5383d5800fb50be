"""Run a block in a format on a backend, from the reference's arguments and cotangents."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from mpcheck import _torch_precision
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.tree import map_tensors
from mpcheck.formats import Format
from mpcheck.judge.emulate import OperandRounding
from mpcheck.reference.library import BlockReference

FORWARD, BACKWARD = "forward", "backward"
DIRECTIONS = (FORWARD, BACKWARD)


@contextlib.contextmanager
def arithmetic(fmt: Format, device: torch.device) -> Iterator[None]:
    """The matrix-product arithmetic of a format: tf32 switched on or emulated, off for all others; flags put back."""
    emulated = fmt.emulated(device.type)
    with _torch_precision.products(tf32=fmt.operand_bits is not None and not emulated):
        if fmt.operand_bits is not None and emulated:
            with OperandRounding(fmt.operand_bits):
                yield
        else:
            yield


@dataclass(frozen=True)
class Calls:
    """What two calls of a block computed.

    Attributes:
        results: what the cell is about, by the reference's names: outputs of the first call (forward), every gradient (backward).
        later: outputs of a later call: the second one (forward), the one that was differentiated (backward).
    """

    results: Tensors
    later: Tensors


def replay(backend: BackendModel, reference: BlockReference, fmt: Format, direction: str) -> Tensors:
    """Outputs (forward) or every gradient (backward) of a block, as the format computed them, in the reference's names."""
    return replay_calls(backend, reference, fmt, direction, again=False).results


def replay_calls(
    backend: BackendModel,
    reference: BlockReference,
    fmt: Format,
    direction: str,
    again: bool = True,
    around: contextlib.AbstractContextManager[object] | None = None,
) -> Calls:
    """Call a block, and where only its outputs are wanted, once more: what only a first or only a second call gets wrong is wrong.

    Args:
        again: whether a second call is made; without it, ``later`` of a forward replay is empty.
        around: entered where the block is in the format already, just before it is called.
    """
    block = reference.block
    backward = direction == BACKWARD

    def cast(t: torch.Tensor) -> torch.Tensor:
        return t.to(device=backend.device, dtype=fmt.storage, copy=True)  # a block may write into its arguments

    def arguments() -> Tensors:
        return map_tensors(cast, {n: t.to(backend.device) for n, t in reference.inputs.items()})

    def call(parameters: dict[str, torch.nn.Parameter]) -> Run:
        return Run(lambda named: backend.call(block, named), reference.skeleton, arguments(), parameters, backward)

    with backend.prepared(block, fmt), arithmetic(fmt, backend.device), around or contextlib.nullcontext():
        parameters = backend.parameters(block) if backward else {}
        run = call(parameters)
        outputs = {n: t.detach() for n, t in run.outputs.items()}
        if not backward:
            return Calls(outputs, {n: t.detach() for n, t in call(parameters).outputs.items()} if again else {})
        results: Tensors = {}
        cases = list(reference.cotangents.items())
        for case, cotangents in cases:
            low = {n: c.to(run.outputs[n].dtype) for n, c in cotangents.items() if n in run.outputs}
            by_input, by_parameter = run.backward(low, retain=True)
            results.update({f"grad.{case}.{n}": g for n, g in by_input.items()})
            wide = {n: g.to(torch.float64) for n, g in by_parameter.items()}
            results.update({f"weight.{case}.{n}": g for n, g in backend.reference_gradients(block, wide).items()})
        return Calls(results, outputs)
