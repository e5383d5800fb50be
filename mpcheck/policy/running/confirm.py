"""Whether what runs is what the policy says: types block by block, weights rounded to the nearest, and bits that must have changed.

Two benchmarks of this field ignored their precision argument for months. So nothing is concluded from what a policy asks for: a model with a
policy is run once, and each of its blocks is looked at while it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck._text import listed
from mpcheck.adapters.backends.cueq_math import polynomials
from mpcheck.adapters.tree import flatten, map_nested
from mpcheck.formats import NARROW, PACKED
from mpcheck.policy.evaluation import Tensors, evaluate
from mpcheck.policy.rules import BlockFormat, carrier
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.policy.running.stored_weights import weight_faults
from mpcheck.policy.running.wrapped import Wrapped
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import operation_of


@dataclass
class Seen:
    """What one block did in one forward pass.

    Attributes:
        computed: types of its operations' results. given, returned: its floating-point inputs and outputs by name, detached.
    """

    computed: set[torch.dtype] = field(default_factory=set)
    given: Any = None
    returned: dict[str, torch.Tensor] = field(default_factory=dict)


class _Types(DispatchMode):
    """Notes the types of what operations compute, for the innermost block that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[Seen] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        # numbers without a dimension are constants of the code, which take the type of whatever they meet
        if self.stack and operation_of(func).rounds and isinstance(result, torch.Tensor) and result.is_floating_point() and result.dim():
            self.stack[-1].computed.add(result.dtype)
        return result

    def left(self) -> None:
        """The innermost block has returned."""
        self.stack.pop()


def blocks_of(made: PolicyModel) -> dict[str, torch.nn.Module]:
    """Leaf blocks of a model with a policy, by path, as they lie in it: wrapped or not."""
    return {path: made.model.get_submodule(path) for path in made.formats}


def observed(made: PolicyModel, graph: Tensors) -> dict[str, Seen]:
    """What every block does on a structure.

    Args:
        graph: float64 on the CPU.

    Raises:
        BaseException: whatever the model raises.
    """
    seen: dict[str, Seen] = {}
    mode, handles = _Types(), []

    def given(path: str, args: Any, kwargs: Any) -> None:
        seen[path] = Seen(given=map_nested(lambda t: t.detach().clone(), (args, kwargs)))

    def returned(path: str, output: Any) -> None:
        flatten(map_nested(lambda t: t.detach().clone(), output), "out", seen[path].returned)

    for path, module in blocks_of(made).items():
        inner = module.inner if isinstance(module, Wrapped) else module  # casts and weights made of packed ones are the wrapper's
        handles += [
            module.register_forward_pre_hook(lambda m, a, k, path=path: given(path, a, k), with_kwargs=True),
            module.register_forward_hook(lambda m, a, o, path=path: returned(path, o)),
            inner.register_forward_pre_hook(lambda m, a, path=path: mode.stack.append(seen[path])),
            inner.register_forward_hook(lambda m, a, o: mode.left()),
        ]
    try:
        with mode:
            evaluate(made, graph, made.inputs.device)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def faults(made: PolicyModel, original: torch.nn.Module, graph: Tensors, base: PolicyModel | None = None) -> dict[str, str]:
    """What is not as the policy says, by block; ``model`` of the whole one. Empty where all is.

    Args:
        original: the float64 model that it was made of. graph: of a structure, float64 on the CPU.
        base: the same model with the base of the policy alone; None where that is what it is.

    Raises:
        BaseException: whatever the model raises.
    """
    found: dict[str, str] = {}
    if reason := _table_fault(made, original):
        found["atomic_energies_fn"] = reason
    seen = observed(made, graph)
    for path, block in blocks_of(made).items():
        told = [*_block_faults(made, path, block, original.get_submodule(path), seen.get(path))]
        if told:
            found[path] = listed(told, 2)
    if base is not None and (same := _unchanged(made, base, graph)):
        found["model"] = same
    return found


def _table_fault(made: PolicyModel, original: torch.nn.Module) -> str:
    """What is wrong with energies of isolated atoms that are summed apart; empty where nothing is, or the model has none."""
    table = getattr(getattr(original, "atomic_energies_fn", None), "atomic_energies", None)
    if made.policy.energies == "together" or table is None:
        return ""
    if made.apart is None:
        return "energies of isolated atoms are not summed apart"
    own = made.apart.get_buffer("atomic_energies")
    return "" if torch.equal(own.cpu(), table.detach().cpu()) else "energies of isolated atoms are not the model's own in float64"


def _block_faults(made: PolicyModel, path: str, block: torch.nn.Module, original: torch.nn.Module, seen: Seen | None) -> Iterator[str]:
    fmt = made.formats[path]
    yield from weight_faults(block, original, fmt, zeroed=made.apart is not None)
    if seen is None:
        return  # not called on this structure
    compute = _dtype(carrier(fmt.compute))
    allowed = {compute} | ({torch.float32} if fmt.compute in NARROW and polynomials(block) else set())
    if not made.policy.autocast and (other := seen.computed - allowed):
        yield f"computes in {_names(other)}, not in {carrier(fmt.compute)}"
    interface = _dtype(fmt.interface)
    handed = {t.dtype for t in seen.returned.values() if t.is_floating_point()} - {interface}
    if handed and seen.computed and not made.policy.autocast:  # views of what they were given have its type
        yield f"hands on {_names(handed)}, not {fmt.interface}"
    if isinstance(block, Wrapped) and (reason := _as_rounded(made, block, original, seen, fmt)):
        yield reason


def _as_rounded(made: PolicyModel, block: Wrapped, original: torch.nn.Module, seen: Seen, fmt: BlockFormat) -> str:
    """Whether a wrapped block is the original on inputs rounded to the nearest, and differs from the original as far as it must."""
    compute = _dtype(carrier(fmt.compute))
    args, kwargs = map_nested(lambda t: t.to(compute) if t.is_floating_point() else t, seen.given)
    with torch.no_grad(), made.arithmetic():
        direct = _outputs(_inner(block), args, kwargs)
        exact = _outputs(original, *map_nested(lambda t: t.to(torch.float64) if t.is_floating_point() else t, seen.given))
    for name, value in seen.returned.items():
        if value.is_floating_point() and name in direct and not torch.equal(direct[name].to(value.dtype), value):
            return "its inputs or results are not cast to the nearest number"
    narrower = fmt.compute in NARROW or fmt.storage in (*NARROW, *PACKED)
    values = [(seen.returned[n], e) for n, e in exact.items() if n in seen.returned and e.is_floating_point()]
    if narrower and values and all(torch.equal(v.to(torch.float64), e) for v, e in values) and not all(_holds(e, compute) for _, e in values):
        return "runs in a lower format, and no bit of its results has changed"
    return ""


def _inner(block: Wrapped) -> Any:
    """The block with the weights that it stores, without the casts around it."""
    if block.packed is None:
        return block.inner
    weights = block.packed.weights(block.compute)
    return lambda *args, **kwargs: torch.func.functional_call(block.inner, weights, args, kwargs)


def _outputs(call: Any, args: Any, kwargs: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    flatten(call(*args, **kwargs), "out", found)
    return found


def _holds(value: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether a type holds every number of a float64 tensor."""
    return torch.equal(value.to(dtype).to(torch.float64), value)


def _unchanged(made: PolicyModel, base: PolicyModel, graph: Tensors) -> str:
    own, other = evaluate(made, graph, made.inputs.device), evaluate(base, graph, base.inputs.device)
    if torch.equal(own.forces, other.forces) and torch.equal(own.interaction, other.interaction) and torch.equal(own.energy, other.energy):
        return f"energies and forces are those of {base.policy.name}, to the last bit: the policy changed nothing"
    return ""


def _dtype(name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _names(types: set[torch.dtype]) -> str:
    return " and ".join(sorted(str(t).removeprefix("torch.") for t in types))
