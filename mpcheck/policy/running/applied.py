"""A model that runs as a policy says: in MACE's calculator, on e3nn and cuEquivariance, forces and stress by autograd."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.backends.mixed import substituted
from mpcheck.adapters.backends.twin import twin
from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.adapters.upstream import default_dtype
from mpcheck.formats import F64, NARROW, PACKED, TF32_NAME, get_format
from mpcheck.judge.replay import arithmetic
from mpcheck.policy.assignment import assigned, changed
from mpcheck.policy.evaluation import stress_of
from mpcheck.policy.rules import BlockFormat, Policy, carrier, usual_sums
from mpcheck.policy.running import autocast
from mpcheck.policy.running.energies import AtomicEnergies, added, sums_up, taken_out
from mpcheck.policy.running.packed import packed
from mpcheck.policy.running.wrapped import Wrapped, cast

TF32_EMULATED = "tf32 is emulated on a CPU: operands of matrix products are rounded to 11 bits"
SIXTEEN = (torch.bfloat16, torch.float16)


class PolicyModel(torch.nn.Module):
    """A model with its policy; called as upstream's are. Casts of its own are what it is for: others are refused.

    Attributes:
        model: upstream's, cast and wrapped. policy: what it runs by. formats: of its leaf blocks, by path. notes: what a reader must know.
    """

    def __init__(
        self, model: torch.nn.Module, original: torch.nn.Module, policy: Policy, formats: Mapping[str, BlockFormat], apart: AtomicEnergies | None
    ) -> None:
        """Args:
        model: cast and wrapped. original: the float64 model that it was made of, on the device. apart: energies that were taken out of it.
        """
        super().__init__()
        device = next((t.device for t in (*model.parameters(), *model.buffers())), torch.device("cpu"))
        # upstream reads the type of its inputs off the first parameter, and knows float32 and float64 alone
        self.inputs = torch.nn.Parameter(torch.zeros((), dtype=_inputs(policy), device=device), requires_grad=False)
        if isinstance(cutoff := getattr(original, "r_max", None), torch.Tensor):  # numpy, which upstream reads it by, has no bfloat16
            self.register_buffer("r_max", cutoff.detach().to(device, self.inputs.dtype))
        self.model = model
        self.policy = policy
        self.formats = dict(formats)
        self.apart = apart
        self.summed = sums_up(original)
        emulated = {autocast.EMULATED: bool(policy.autocast), TF32_EMULATED: policy.base == TF32_NAME}
        self.notes = tuple(note for note, applies in emulated.items() if applies and device.type == "cpu")

    def forward(self, data: dict[str, torch.Tensor], *args: Any, **flags: Any) -> dict[str, Any]:
        """Upstream's outputs; energies in float64 where the policy sums them apart."""
        with self.arithmetic(), default_dtype(self.base):  # upstream makes masks of heads, and the pair repulsion, in torch's default type
            given = {n: cast(t, self.base) if isinstance(t, torch.Tensor) else t for n, t in data.items()}
            by_virials = bool(flags.get("compute_stress")) and self.base in SIXTEEN
            asked = flags | {"compute_stress": False, "compute_virials": True} if by_virials else flags
            out: dict[str, Any] = self.model(given, *args, **asked)
        if self.base in SIXTEEN:  # numpy, and so the calculator, knows no bfloat16
            out = {n: cast(t, self.inputs.dtype) if isinstance(t, torch.Tensor) else t for n, t in out.items()}
        if by_virials:
            out["stress"] = stress_of(out["virials"], data["cell"]).to(self.inputs.dtype)
        return out if self.apart is None else added(out, given, self.apart, self.summed)

    @property
    def base(self) -> torch.dtype:
        """Type of coordinates, and of everything between the blocks."""
        dtype: torch.dtype = getattr(torch, carrier(self.policy.base))
        return dtype

    @contextlib.contextmanager
    def arithmetic(self) -> Any:
        """Products as the policy has them, forward and backward, while the model runs: tf32, autocast, or float32 whatever a caller has set."""
        device = self.inputs.device
        casting = autocast.autocasting(getattr(torch, self.policy.autocast), device) if self.policy.autocast else contextlib.nullcontext()
        with arithmetic(get_format(self.policy.base), device), casting:
            yield

    def __getattr__(self, name: str) -> Any:
        """What upstream's calculator reads off a model: cut-off, elements, heads, energies of isolated atoms."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "atomic_energies_fn" and "apart" in self._modules:
                return self._modules["apart"]
            return getattr(super().__getattr__("model"), name)

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]  # as torch declares it
        """To another device; to another type it is refused, for then it would run by another policy than it says.

        Raises:
            InputError: a cast.
        """
        probes = [torch.zeros((), dtype=t, device=self.inputs.device) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)]
        if any(fn(probe).dtype != probe.dtype for probe in probes):
            own = str(self.inputs.dtype).removeprefix("torch.")
            raise InputError(
                f"a model with policy {self.policy.name} cannot be cast: its formats are the policy's; give MACE's calculator default_dtype={own!r}"
            )
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch is untyped here


def _inputs(policy: Policy) -> torch.dtype:
    return torch.float64 if policy.base == F64 else torch.float32


def apply(model: torch.nn.Module, policy: Policy, device: str | torch.device = "cpu", source: torch.nn.Module | None = None) -> PolicyModel:
    """A model that runs by a policy; the given one stays as it is.

    Args:
        model: upstream's in float64, of any backend. policy: see :func:`mpcheck.policy.rules.get_policy`. device: where it will run.
        source: the e3nn model that it was converted from, whose blocks have the names and roles that rules speak of; by default itself.

    Raises:
        InputError: what cannot be applied, by name.
    """
    where = torch.device(device)
    if isinstance(model, PolicyModel):
        raise InputError(
            f"policy {policy.name}: the model runs by policy {model.policy.name} already, which has rounded it; give that it was made of"
        )
    if stored := {p.dtype for p in model.parameters()} - {torch.float64}:
        raise InputError(
            f"policy {policy.name}: give the model in float64, as it was loaded; it has parameters in {', '.join(sorted(map(str, stored)))}"
        )
    blocks = module_blocks(source if source is not None else model)
    formats = assigned(policy, blocks)
    _possible(policy, formats, where)
    math = torch.float64 if policy.base == F64 else torch.float32
    whole = twin(model, math)
    apart = taken_out(whole) if policy.energies == "apart" else None
    base: torch.dtype = getattr(torch, carrier(policy.base))
    cast_whole = whole.to(base)
    own = {path: fmt for path, fmt in changed(formats, policy).items() if _differs(fmt, policy)}
    for block in blocks:
        if block.module_path in own and block.kind == "leaf":
            cast_whole = substituted(cast_whole, block.module_path, _wrapped(model, block, own[block.module_path], policy, apart is not None))
    return PolicyModel(cast_whole, model, policy, formats, apart).to(where)


def _differs(fmt: BlockFormat, policy: Policy) -> bool:
    """Whether a block has to be wrapped: it runs, stores or answers otherwise than the base does."""
    default = policy.default()
    return (fmt.storage, fmt.compute, fmt.interface) != (default.storage, default.compute, default.interface)


def _wrapped(model: torch.nn.Module, block: Block, fmt: BlockFormat, policy: Policy, apart: bool) -> Wrapped:
    """A block of the float64 model, cast once."""
    compute: torch.dtype = getattr(torch, carrier(fmt.compute))
    inner = twin(model.get_submodule(block.module_path), torch.float64 if fmt.compute == F64 else torch.float32)
    if apart and "atomic_energies" in inner._buffers:
        inner._buffers["atomic_energies"] = torch.zeros_like(inner.get_buffer("atomic_energies"))
    storage = packed(policy.name, block.module_path, inner, fmt.storage) if fmt.storage in PACKED else None
    if storage is None and fmt.storage != carrier(fmt.compute):  # stored in fewer bits than it computes in: rounded once, from float64
        stored: torch.dtype = getattr(torch, fmt.storage)
        for parameter in inner.parameters():
            parameter.data = parameter.data.to(stored).to(compute)
    inner = inner.to(compute)
    if storage is not None:  # what is stored is there once
        for parameter in inner.parameters():
            parameter.data = torch.empty((), dtype=compute).expand(parameter.shape)
    return Wrapped(inner, compute, getattr(torch, fmt.interface), storage)


def _possible(policy: Policy, formats: Mapping[str, BlockFormat], device: torch.device) -> None:
    """Refuse what no kernel here does.

    Raises:
        InputError: names the block, what was asked of it, and the remedy.
    """
    for path, fmt in formats.items():
        where = f"policy {policy.name}: {path}"
        if (fmt.compute == TF32_NAME) != (policy.base == TF32_NAME and fmt.compute not in NARROW):
            raise InputError(f"{where}: tf32 is switched for the whole model, not block by block; give the policy base tf32 and other blocks 16 bits")
        if fmt.accumulate != (kept := usual_sums(fmt.compute)):
            raise InputError(f"{where}: kernels on {device.type} accumulate {fmt.compute} in {kept}, not in {fmt.accumulate}; leave accumulate out")
        if fmt.storage == F64 and fmt.compute != F64:
            raise InputError(f"{where}: weights stored in float64 would be cast at every call; store them in {carrier(fmt.compute)}")
