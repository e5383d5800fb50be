"""Train ``builtin:hco`` on the labelled structures and write its weights, architecture and model card.

A development tool: ``python tools/hco/train.py DATA.extxyz --minutes 45``. Float32 and Adam with a cosine schedule, an
exponential moving average of the weights kept in float64 (the average is what ships), energies in eV, forces in eV/Å.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from safetensors.torch import save_file

from mpcheck._files.io import sha256_file
from mpcheck._text import markdown_table
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.graph import Graph, make_graph

SEED = 20260101
ELEMENTS = ["H", "C", "O"]


def fit_statistics(frames: list[Atoms], r_max: float) -> dict[str, object]:
    """E0 from the isolated atoms (eV), the force RMS as scale, the mean interaction energy per atom as shift, neighbours."""
    e0 = {f.get_chemical_symbols()[0]: float(f.info["energy_xtb"]) for f in frames if f.info["group"] == "isolated"}
    training = [f for f in frames if f.info["split"] == "train" and len(f) > 1]
    interaction = [(f.info["energy_xtb"] - sum(e0[s] for s in f.get_chemical_symbols())) / len(f) for f in training]
    forces = np.concatenate([f.arrays["forces_xtb"] for f in training])
    sample = training[:: max(1, len(training) // 200)]
    edges = sum(make_graph([f], ELEMENTS, r_max)["edge_index"].shape[1] for f in sample) / sum(len(f) for f in sample)
    return {
        "atomic_energies": e0,
        "atomic_inter_shift": round(float(np.mean(interaction)), 6),
        "atomic_inter_scale": round(float(np.sqrt((forces**2).mean())), 6),
        "avg_num_neighbors": round(float(edges), 4),
    }


def batches(frames: list[Atoms], size: int, r_max: float, rng: np.random.Generator) -> list[tuple[Graph, torch.Tensor, torch.Tensor]]:
    """Shuffled batches of about `size` atoms: graph, energies [graphs] and forces [atoms, 3]."""
    order, out, part, atoms = rng.permutation(len(frames)), [], [], 0
    for k, i in enumerate(order):
        part.append(frames[i])
        atoms += len(frames[i])
        if atoms >= size or k == len(order) - 1:
            graph = make_graph(part, ELEMENTS, r_max)
            energies = torch.tensor([f.info["energy_xtb"] for f in part], dtype=torch.float64)
            out.append((graph, energies, torch.tensor(np.concatenate([f.arrays["forces_xtb"] for f in part]))))
            part, atoms = [], 0
    return out


def cast(graph: Graph, dtype: torch.dtype) -> Graph:
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in graph.items()}


def errors(model: torch.nn.Module, frames: list[Atoms], r_max: float) -> dict[str, dict[str, float]]:
    """Energy RMSE in meV/atom and force RMSE in meV/Å by group, in float64."""
    energy, force = defaultdict(list), defaultdict(list)
    for frame in frames:
        out = model(make_graph([frame], ELEMENTS, r_max))
        for group in (frame.info["group"], "all"):
            energy[group].append((out["energy"].item() - frame.info["energy_xtb"]) / len(frame))
            force[group].append((out["forces"].detach().numpy() - frame.arrays["forces_xtb"]).ravel())
    return {
        g: {
            "frames": len(energy[g]),
            "energy_rmse_mev_per_atom": round(1e3 * float(np.sqrt(np.mean(np.square(energy[g])))), 2),
            "force_rmse_mev_per_angstrom": round(1e3 * float(np.sqrt(np.mean(np.concatenate(force[g]) ** 2))), 1),
        }
        for g in energy
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("mpcheck/data/models"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    frames = read(args.data, ":")
    r_max = 4.5
    arch = Architecture(
        schema_version=1,
        name="hco",
        elements=ELEMENTS,
        r_max=r_max,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=2,
        hidden_irreps="16x0e + 16x1o",
        MLP_irreps="16x0e",
        correlation=3,
        radial_MLP=[32, 32, 32],
        **fit_statistics(frames, r_max),
    )
    model = build_model(Architecture.model_validate({**arch.model_dump(), "weights_seed": SEED}))
    average = copy.deepcopy(model)
    model = model.float()
    training = [f for f in frames if f.info["split"] == "train" and len(f) > 1]
    held_out = [f for f in frames if f.info["split"] == "test"]
    print(f"{len(training)} training and {len(held_out)} held-out frames; {sum(p.numel() for p in model.parameters())} parameters")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True)
    rng = np.random.default_rng(SEED)
    graphs = batches(training, 160, r_max, rng)
    began, limit, step, epoch = time.perf_counter(), 60 * args.minutes, 0, 0
    progress = 0.0
    while progress < 1.0:
        totals = np.zeros(2)
        for i in rng.permutation(len(graphs)):
            progress = (time.perf_counter() - began) / limit
            lr = 0.01 * (0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1.0, (step + 1) / 50)
            graph, energies, forces = graphs[i]
            out = model(cast(graph, torch.float32), training=True)
            atoms = (graph["ptr"][1:] - graph["ptr"][:-1]).double()
            e0 = graph["node_attrs"] @ torch.atleast_2d(model.atomic_energies_fn.atomic_energies).double().T
            e0 = torch.zeros(len(energies), dtype=torch.float64).index_add_(0, graph["batch"], e0[:, 0])
            de = (out["interaction_energy"].double() + e0 - energies) / atoms  # E0 summed apart: float32 cannot hold it
            df = out["forces"].double() - forces
            weight = 100.0 if progress < 0.75 else 10.0  # forces first, energies sharpened in the last quarter
            loss = weight * df.square().mean() + (1.0 if progress < 0.75 else 1000.0) * de.square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            decay = min(0.999, (step + 1) / (step + 10))
            with torch.no_grad():
                for target, source in zip(average.parameters(), model.parameters(), strict=True):
                    target.mul_(decay).add_(source.double(), alpha=1 - decay)
            totals += [de.square().mean().item(), df.square().mean().item()]
            step += 1
            if progress >= 1.0:
                break
        epoch += 1
        rmse = 1e3 * np.sqrt(totals / len(graphs))
        print(f"epoch {epoch} {progress:6.1%} lr {lr:.1e} train: {rmse[0]:.1f} meV/atom {rmse[1]:.0f} meV/Å", flush=True)
        if epoch % 20 == 0:
            graphs = batches(training, 160, r_max, rng)
    table = errors(average, held_out, r_max)
    args.out.mkdir(parents=True, exist_ok=True)
    weights = args.out / "hco.safetensors"
    save_file({k: v.contiguous() for k, v in average.state_dict().items()}, weights)
    write_documents(args.out, arch, table, sha256_file(args.data), sha256_file(weights), epoch, step, len(training))
    print(table)


def write_documents(
    out: Path, arch: Architecture, table: dict[str, dict[str, float]], data: str, weights: str, epochs: int, steps: int, training: int
) -> None:
    """The architecture as YAML and the numbers of the model card."""
    import ruamel.yaml

    yaml = ruamel.yaml.YAML()
    yaml.default_flow_style = None
    with (out / "hco.yaml").open("w") as stream:
        yaml.dump({k: v for k, v in arch.model_dump().items() if v is not None}, stream)
    lines = [
        "# Model card: `builtin:hco`",
        "",
        "A small MACE for hydrogen, carbon and oxygen, made to test numerics on trained weights. It is not a force field for research.",
        "",
        f"- Labels: GFN2-xTB by tblite; recipe and seed in `tools/hco/dataset.py` (seed {SEED}); data sha256 `{data}`",
        f"- Training: `tools/hco/train.py`, seed {SEED}, {training} frames, {epochs} epochs, {steps} steps, Adam, float32, "
        "average of the weights kept in float64",
        f"- Weights: `hco.safetensors`, float64, sha256 `{weights}`",
        "- Held out: whole trajectories that training never saw, evaluated in float64",
        "",
    ]
    names = ("frames", "energy_rmse_mev_per_atom", "force_rmse_mev_per_angstrom")
    rows = ([group, *(str(row[name]) for name in names)] for group, row in sorted(table.items()))
    lines += markdown_table(("held-out group", "frames", "energy RMSE (meV/atom)", "force RMSE (meV/Å)"), rows)
    (out / "hco.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
