"""Find the blocks of a MACE model: leaves, composites, and the steps that are not modules upstream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch

from mpcheck.adapters.slots import PLAIN, Slot, input_slots, output_slots
from mpcheck.adapters.upstream import SymmetricContraction, mace, o3

Kind = Literal["leaf", "composite", "step"]

ROLES = {
    "Linear": "linear",
    "FullyConnectedTensorProduct": "fully connected tensor product",
    "TensorProduct": "channel-wise tensor product",
    "FullyConnectedNet": "radial MLP",
    "RadialMLP": "radial MLP",
    "SymmetricContraction": "symmetric contraction",
    "SphericalHarmonics": "spherical harmonics",
    "BesselBasis": "radial basis",
    "GaussianBasis": "radial basis",
    "ChebychevBasis": "radial basis",
    "PolynomialCutoff": "cut-off envelope",
    "AgnesiTransform": "distance transform",
    "SoftTransform": "distance transform",
    "ZBLBasis": "pair repulsion",
    "Activation": "activation",
    "Gate": "gate",
    "AtomicEnergiesBlock": "atomic energies",
    "ScaleShiftBlock": "scale and shift",
    "reshape_irreps": "reshape to channels",
    "RadialEmbeddingBlock": "radial embedding",
    "EquivariantProductBasisBlock": "product basis",
}


SIMPLE = frozenset({
    "BesselBasis", "GaussianBasis", "ChebychevBasis", "PolynomialCutoff", "AgnesiTransform", "SoftTransform", "ZBLBasis", "AtomicEnergiesBlock",
    "ScaleShiftBlock", "reshape_irreps",
})  # fmt: skip
"""Classes of mace that compute by themselves, though one that an older release saved may hold a module that nothing calls any more."""


@dataclass(frozen=True)
class Block:
    """One block of a model.

    Attributes:
        name: dotted path of the module, or ``PATH.scatter``, ``PATH.conv``, ``edge_vectors``, ``energy_sum`` of a step;
            ``NAME@2`` is the second call of a block that runs more than once.
        kind: leaf, composite or step.
        role: what it does, in the field's words.
        class_name: upstream's class or function.
        inputs, outputs: slots by argument name; those not listed are plain.
        parameters: number of trainable parameters.
        positional: arguments that upstream passes by position, as observed.
    """

    name: str
    kind: Kind
    role: str
    class_name: str
    inputs: dict[str, Slot]
    outputs: dict[str, Slot]
    parameters: int
    positional: tuple[str, ...] = ()

    @property
    def module_path(self) -> str:
        """The module whose parameters the block uses."""
        return self.name.partition("@")[0]

    def input_slot(self, name: str) -> Slot:
        """Slot of an input."""
        return self.inputs.get(name, PLAIN)

    def output_slot(self, name: str) -> Slot:
        """Slot of an output."""
        return self.outputs.get(name, PLAIN)


WHOLE = Block("", "composite", "model", "model", {}, {}, 0)
"""The model itself, where a backend is asked about it as about any of its blocks."""


def _is_leaf(module: torch.nn.Module) -> bool:
    """Upstream libraries' own modules are leaves, and so is a mace module that calls no other module."""
    package = type(module).__module__.partition(".")[0]
    if isinstance(module, (torch.nn.ModuleList, torch.nn.ModuleDict)):
        return False
    if isinstance(module, (SymmetricContraction, torch.nn.Sequential)) or package != "mace" or type(module).__name__ in SIMPLE:
        return True
    return next(module.children(), None) is None


def leaf_modules(module: torch.nn.Module, prefix: str = "") -> Iterator[tuple[str, torch.nn.Module]]:
    """Every leaf block below a module, in the model's order; fx graphs and scripted helpers stay inside their leaf."""
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if _is_leaf(child):
            yield path, child
        else:
            yield from leaf_modules(child, f"{path}.")


def composite_modules(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Modules of mace that call two leaves or more; wrappers of a single leaf add nothing to it."""
    for name, module in model.named_modules():
        container = isinstance(module, (torch.nn.ModuleList, torch.nn.ModuleDict))
        if not name or container or _is_leaf(module) or _inside_leaf(model, name):
            continue
        if len(list(leaf_modules(module))) >= 2:
            yield name, module


def names_by_id(model: torch.nn.Module) -> dict[int, str]:
    """Names of a model's blocks by the ``id`` of their modules: what tells in which block something happened."""
    return {id(module): name for name, module in (*composite_modules(model), *leaf_modules(model))}


def _inside_leaf(model: torch.nn.Module, name: str) -> bool:
    parts = name.split(".")
    return any(_is_leaf(model.get_submodule(".".join(parts[:i]))) for i in range(1, len(parts)))


def describe(name: str, module: torch.nn.Module, kind: Kind) -> Block:
    """The Block of a module."""
    class_name = type(module).__name__
    role = ROLES.get(class_name)
    if role is None:
        if isinstance(module, mace.modules.blocks.InteractionBlock):
            role = "interaction"
        elif "Readout" in class_name:
            role = "read-out"
        else:
            role = class_name
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return Block(name, kind, role, class_name, input_slots(module), output_slots(module), parameters)


def module_blocks(model: torch.nn.Module) -> list[Block]:
    """Leaves and composites, each composite after its leaves."""
    leaves = [_named(model, describe(name, module, "leaf")) for name, module in leaf_modules(model)]
    composites = {name: describe(name, module, "composite") for name, module in composite_modules(model)}
    ordered: list[Block] = []
    for index, leaf in enumerate(leaves):
        ordered.append(leaf)
        following = leaves[index + 1].name if index + 1 < len(leaves) else ""
        inner_first = sorted(composites, key=lambda n: -n.count("."))
        ordered += [composites.pop(c) for c in inner_first if leaf.name.startswith(f"{c}.") and not following.startswith(f"{c}.")]
    return ordered


def _named(model: torch.nn.Module, leaf: Block) -> Block:
    """A leaf that has no name in the field's words has that of a module which is nothing but it: of a ``RadialMLP``, whose ``net`` is torch's."""
    around = model.get_submodule(leaf.name.rpartition(".")[0])
    role = ROLES.get(type(around).__name__)
    if role is None or leaf.class_name in ROLES or len(list(leaf_modules(around))) > 1:
        return leaf
    return replace(leaf, role=role)


def message_slot(interaction: torch.nn.Module) -> Slot:
    """Slot of the message that an interaction scatters: the output of its tensor product."""
    conv = getattr(interaction, "conv_tp", None)
    return Slot(str(conv.irreps_out), "flat") if isinstance(conv, o3.TensorProduct) else PLAIN
