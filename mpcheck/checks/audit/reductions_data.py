"""What the reductions are replayed on: realistic energies and messages, of any number of atoms and neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.checks.physics.structure import evaluate
from mpcheck.formats import Format
from mpcheck.judge.context import Context
from mpcheck.judge.replay import arithmetic
from mpcheck.reference.noise import seed_of

CARBON_E0 = -1029.28  # eV: an all-electron E0 of carbon, as data sets of total energies have them
JITTER = 0.05  # of a message's or an energy's value, so that repeated ones do not round alike


@dataclass(frozen=True)
class Atoms:
    """Energies of many atoms.

    Attributes:
        label: in a finding's subject.
        table: E0 by element [elements] in eV; species: element of each atom [atoms].
        interaction: interaction energy of each atom [atoms] in eV.
        model: whether the table is the model's, so that upstream's own block looks it up.
    """

    label: str
    table: torch.Tensor
    species: torch.Tensor
    interaction: torch.Tensor
    model: bool

    def e0_in(self, context: Context, fmt: Format) -> torch.Tensor:
        """E0 by element as a format computes it [elements]: a one-hot vector times the table, which tf32 rounds too."""
        device = context.reference_backend.device
        one_hot = torch.eye(len(self.table), dtype=fmt.storage, device=device)
        with arithmetic(fmt, device):
            if not self.model:
                return torch.matmul(one_hot, self.table.to(device=device, dtype=fmt.storage).unsqueeze(1))[:, 0]
            block = context.reference_backend.model.get_submodule("atomic_energies_fn")
            with replaced(block, to_dtype(fmt.storage)):
                energies: torch.Tensor = block(one_hot)
        return energies.reshape(len(self.table), -1)[:, 0].detach()


@dataclass(frozen=True)
class Census:
    """A model on a system, by atom: element, E0 by element, interaction energy in eV."""

    species: torch.Tensor
    table: torch.Tensor
    interaction: torch.Tensor


def census(context: Context, system: str) -> Census:
    """From one float64 evaluation."""
    backend = context.reference_backend
    graph = {k: v.to(backend.device) for k, v in context.graph(system).items()}
    node_energy = evaluate(backend.model, graph, compute_force=False)["node_energy"]
    species = graph["node_attrs"].argmax(1)
    block = backend.model.get_submodule("atomic_energies_fn")
    one_hot = torch.eye(graph["node_attrs"].shape[1], dtype=torch.float64, device=backend.device)
    table = block(one_hot).reshape(len(one_hot), -1)[:, 0].detach()
    return Census(species, table, node_energy - table[species])


def many_atoms(context: Context, system: str, seen: Census, count: int) -> Atoms:
    """The system's mix of elements, each with interaction energies of the mean and spread that the model gives it there."""
    generator = torch.Generator().manual_seed(seed_of("reductions", context.seed, system, count))
    device = seen.species.device
    order = torch.randperm(count, generator=generator)
    species = seen.species.cpu().repeat(-(-count // len(seen.species)))[:count][order]
    size = len(seen.table)
    mean, spread = torch.zeros(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for element in range(size):
        own = seen.interaction[seen.species == element].cpu()
        if own.numel():
            mean[element] = own.mean()
            # atoms of a perfect crystal are all alike; that equal energies err alike is what `carbon` is about
            spread[element] = max(float(own.std(unbiased=False)), JITTER * abs(float(own.mean())))
    energies = mean[species] + spread[species] * torch.randn(count, dtype=torch.float64, generator=generator)
    return Atoms(f"energy, {count:,} atoms", seen.table, species.to(device), energies.to(device), True)


def carbon(context: Context, count: int) -> Atoms:
    """Equal atoms of a large E0: every partial sum is rounded in the same direction for long stretches."""
    generator = torch.Generator().manual_seed(seed_of("carbon", context.seed, count))
    device = context.reference_backend.device
    energies = -7.0 + 0.5 * torch.randn(count, dtype=torch.float64, generator=generator)  # cohesive energy of carbon, and a spread
    table = torch.tensor([CARBON_E0], dtype=torch.float64)
    return Atoms(f"energy, {count:,} C", table.to(device), torch.zeros(count, dtype=torch.long, device=device), energies.to(device), False)


def messages(context: Context, system: str, block: str, neighbours: int, atoms: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Messages [atoms * neighbours, channels] of the model's own magnitudes, and the atom each goes to."""
    rows = context.library(system).get(block).inputs["src"]
    generator = torch.Generator().manual_seed(seed_of("messages", context.seed, block, neighbours))
    chosen = torch.randint(len(rows), (atoms * neighbours,), generator=generator).to(rows.device)
    jitter = 1 + JITTER * torch.randn(len(chosen), rows.shape[1], dtype=torch.float64, generator=generator).to(rows.device)
    return rows[chosen] * jitter, torch.arange(atoms, device=rows.device).repeat_interleave(neighbours)
