"""A structure as LAMMPS hands it to upstream's ML-IAP interface: local atoms, ghost atoms, and their exchange of features.

A ghost stands for an atom that another domain owns, or for a periodic image. Upstream computes features of local atoms only;
before each interaction but the first, ``forward_exchange`` copies them from owners to ghosts, and in the backward pass
``reverse_exchange`` adds the gradients of ghosts to those of their owners. Here one process is all domains at once: the
structure is cut in two, and whatever lies in the other half or in another cell is a ghost. The cut changes no number.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck.adapters.calculator import as_it_was
from mpcheck.adapters.calls import argument_names
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import environment_restored, mace, quiet

PASSED = ("total_charge", "total_spin")


@dataclass(frozen=True)
class Domains:
    """One graph with ghosts.

    Attributes:
        local: number of local atoms; ghosts follow them.
        owner: [local + ghosts] the local atom that each stands for.
        sender: [edges] local atoms or ghosts; receiver: [edges] local atoms.
        vectors: [edges, 3] in Å, from receiver to sender, as LAMMPS gives them; opposite to upstream's own edge vectors.
        node_attrs: [local + ghosts, elements].
        inputs: what else upstream's interface passes on: :data:`PASSED`.
    """

    local: int
    owner: torch.Tensor
    sender: torch.Tensor
    receiver: torch.Tensor
    vectors: torch.Tensor
    node_attrs: torch.Tensor
    inputs: Tensors = field(default_factory=dict)

    @property
    def ghosts(self) -> int:
        """Number of ghosts."""
        return int(self.owner.numel()) - self.local


def mirrored(graph: Tensors) -> Tensors:
    """The structure mirrored at the origin: its edge vectors are those that LAMMPS gives for the structure itself."""
    return {**graph, **{k: -graph[k] for k in ("positions", "shifts", "cell") if k in graph}}


def with_ghosts(graph: Tensors) -> Domains:
    """Cut a graph in two domains halfway along x, with a ghost for every atom that a domain sees beyond its own.

    Args:
        graph: of one structure, see :func:`mpcheck.adapters.graph.make_graph`.
    """
    sender, receiver = graph["edge_index"]
    local = graph["positions"].shape[0]
    x = graph["positions"][:, 0]
    domain = (x > x.median()).long()
    abroad = graph["unit_shifts"].ne(0).any(1) | (domain[sender] != domain[receiver])
    seen = torch.cat([domain[receiver, None], sender[:, None], graph["unit_shifts"].round().long()], 1)[abroad]
    ghosts, which = torch.unique(seen, dim=0, return_inverse=True)
    moved = sender.clone()
    moved[abroad] = local + which
    turned = mirrored(graph)
    vectors = turned["positions"][receiver] - turned["positions"][sender] + turned["shifts"]
    owner = torch.cat([torch.arange(local, device=sender.device), ghosts[:, 1]])
    return Domains(local, owner, moved, receiver, vectors, graph["node_attrs"][owner], {k: graph[k] for k in PASSED if k in graph})


class FakeLammps:
    """What upstream's ``LAMMPS_MLIAP_MACE.compute_forces`` reads and writes, under LAMMPS's names.

    Attributes:
        energy: eV; eatoms: [local] in eV; forces: [local, 3] in eV/Å, pair forces gathered to the atoms that own them.
        pair_forces: [edges, 3] in eV/Å, as they came. virial: [3, 3] in eV, of them and the vectors between their atoms.
    """

    def __init__(self, domains: Domains) -> None:
        self.domains = domains
        self.nlocal, self.ntotal, self.npairs = domains.local, domains.local + domains.ghosts, int(domains.sender.numel())
        self.elems = domains.node_attrs.argmax(1)
        self.rij, self.pair_i, self.pair_j = domains.vectors.clone(), domains.receiver, domains.sender
        self.eatoms = torch.zeros(self.nlocal, dtype=torch.float64, device=domains.vectors.device)
        self.forces = torch.zeros(self.nlocal, 3, dtype=torch.float64, device=domains.vectors.device)
        self.pair_forces = torch.zeros(self.npairs, 3, dtype=torch.float64, device=domains.vectors.device)
        self.virial = torch.zeros(3, 3, dtype=torch.float64, device=domains.vectors.device)
        self.energy = 0.0

    def forward_exchange(self, copy_from: torch.Tensor, copy_to: torch.Tensor, length: int) -> None:
        """Features of every atom are its owner's."""
        copy_to.copy_(copy_from[self.domains.owner])

    def reverse_exchange(self, copy_from: torch.Tensor, copy_to: torch.Tensor, length: int) -> None:
        """Gradients of ghosts are added to their owners'; ghosts keep theirs, as LAMMPS leaves them."""
        local = self.nlocal
        copy_to.copy_(copy_from)
        copy_to[:local] = copy_from[:local].index_add(0, self.domains.owner[local:], copy_from[local:])

    def update_pair_forces_gpu(self, pair_forces: torch.Tensor) -> None:
        """LAMMPS's sign: a pair force acts on the receiver, and its opposite on the sender's owner."""
        forces = pair_forces.detach().to(torch.float64)
        self.pair_forces = forces
        self.forces.index_add_(0, self.pair_i, forces)
        self.forces.index_add_(0, self.domains.owner[self.pair_j], -forces)
        self.virial -= torch.einsum("ei,ej->ij", self.rij.detach().to(torch.float64), forces)  # upstream asks its vectors for gradients


def _interface() -> Any:
    """Upstream's class; imported when first needed, because its package loads ASE's calculators and sets an environment variable."""
    with quiet(), environment_restored("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        return importlib.import_module("mace.calculators.lammps_mliap_mace").LAMMPS_MLIAP_MACE


def unsupported(model: torch.nn.Module) -> str | None:
    """Why a model cannot run under LAMMPS's ML-IAP interface; None where it can."""
    try:
        _interface()
    except ImportError:
        return f"mace {mace.__version__} has no ML-IAP interface"
    if "lammps_mliap" not in argument_names(model):
        return f"{type(model).__name__} has no lammps_mliap mode"
    plain = [n for n in ("atomic_numbers", "r_max", "num_interactions") if not isinstance(getattr(model, n, None), torch.Tensor)]
    if plain:
        return f"upstream's ML-IAP interface takes {plain[0]} as a tensor, which this model has not"
    return None


def interaction_classes() -> list[str]:
    """Names of upstream's interaction blocks."""
    return sorted(mace.modules.interaction_classes)


@contextlib.contextmanager
def _as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Upstream's wrapper freezes the model's parameters and gives it heads where it has none; a faulty one casts it: all put back."""
    had = hasattr(model, "heads")
    try:
        with as_it_was(model):
            yield
    finally:
        if not had and hasattr(model, "heads"):
            del model.heads


def run_with_ghosts(model: torch.nn.Module, domains: Domains, head: str, exchange: Callable[[Domains], FakeLammps] = FakeLammps) -> Tensors:
    """Upstream's ML-IAP interface on a structure with ghosts.

    Args:
        model: float64, one that :func:`unsupported` accepts.
        head: the head that the ordinary graph goes to; empty for the model's only one.

    Returns:
        energy [1] and node_energy [local] in eV, forces [local, 3] and pair_forces [edges, 3] in eV/Å, virial [3, 3] in eV, symmetric as
        LAMMPS keeps it.

    Raises:
        RuntimeError, IndexError, ValueError: whatever upstream raises where shapes do not fit.
    """
    device = domains.vectors.device
    with _as_it_was(model):
        # the twin of a model from before heads has one all the same, under another name than ours
        names = list(getattr(model, "heads", None) or []) if head else []
        interface = _interface()(model, **domains.inputs, **({"head": head if head in names else names[0]} if names else {}))
        # upstream would move the model to the CPU for data that does not come from LAMMPS's Kokkos
        interface.device, interface.initialized = device, True
        interface.model = interface.model.to(device)
        data = exchange(domains)
        interface.compute_forces(data)
    energy = torch.tensor([data.energy], dtype=torch.float64, device=device)
    virial = (data.virial + data.virial.T) / 2
    return {"energy": energy, "node_energy": data.eatoms, "forces": data.forces, "pair_forces": data.pair_forces, "virial": virial}
