"""Run ``builtin:hco`` for 2 ps of water at 300 K and append what happened to its model card.

A development tool: ``python tools/hco/check_md.py [--molecules 32]``. Periodic water at 0.997 g/cm3, Langevin, 0.5 fs, float64.
It fails where the temperature runs away, a molecule breaks, or two atoms meet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import FIRE

from mpcheck.adapters.load import load_model
from mpcheck.adapters.upstream import quiet
from mpcheck.systems import resolve_system

STEP = 0.5  # fs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--molecules", type=int, default=32)
    parser.add_argument("--picoseconds", type=float, default=2.0)
    parser.add_argument("--card", type=Path, default=None)
    args = parser.parse_args()
    from mace.calculators import MACECalculator

    model = load_model("builtin:hco")
    atoms = resolve_system(f"builtin:water:{args.molecules}", model.elements, model.r_max).frames[0].copy()
    with quiet():
        before = torch.get_default_dtype()
        atoms.calc = MACECalculator(models=[model.module], device="cpu", default_dtype="float64")
        torch.set_default_dtype(before)
    FIRE(atoms, logfile=None).run(fmax=0.5, steps=60)  # the built-in box is random; take the worst contacts out
    rng = np.random.RandomState(1)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=rng)
    dynamics = Langevin(atoms, STEP * units.fs, temperature_K=300, friction=0.01 / units.fs, rng=rng)
    oxygen = [i for i, s in enumerate(atoms.get_chemical_symbols()) if s == "O"]
    steps, temperatures, longest, nearest = round(1000 * args.picoseconds / STEP), [], 0.0, 9.0
    for step, _ in enumerate(dynamics.irun(steps)):
        if step % 20:
            continue
        temperatures.append(atoms.get_temperature())
        bonds = [d for o in oxygen for d in atoms.get_distances(o, [o + 1, o + 2], mic=True)]
        distances = atoms.get_all_distances(mic=True) + 9 * np.eye(len(atoms))
        longest, nearest = max(longest, max(bonds)), min(nearest, distances.min())
        if temperatures[-1] > 1500 or nearest < 0.5:
            raise SystemExit(f"exploded after {step * STEP:.0f} fs: {temperatures[-1]:.0f} K, nearest atoms {nearest:.2f} Å")
    half = temperatures[len(temperatures) // 2 :]
    line = (
        f"- Molecular dynamics (`tools/hco/check_md.py`): {args.picoseconds:g} ps of {args.molecules} periodic water molecules at 300 K, "
        f"Langevin, {STEP} fs: second half at {np.mean(half):.0f} ± {np.std(half):.0f} K, longest O-H {longest:.2f} Å, nearest atoms {nearest:.2f} Å"
    )
    print(line)
    if args.card:
        kept = [text for text in args.card.read_text(encoding="utf-8").splitlines() if not text.startswith("- Molecular dynamics")]
        at = next(i for i, text in enumerate(kept) if text.startswith("- Held out"))
        args.card.write_text("\n".join([*kept[: at + 1], line, *kept[at + 1 :]]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
