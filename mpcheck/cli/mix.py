"""``mpcheck mix``: what happens when single blocks of a model are computed by another backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._names import ACCELERATED_BACKEND
from mpcheck._text import say
from mpcheck.cli.options import shared

if TYPE_CHECKING:
    from mpcheck.records.record import Record

Swaps = Annotated[list[str], typer.Option("--swap", help="BLOCK=BACKEND, e.g. products.0.linear=e3nn; repeat for several")]


def parse_swaps(texts: list[str]) -> dict[str, str]:
    """``BLOCK=BACKEND`` texts as a mapping.

    Raises:
        InputError: no ``=``, an empty side, or a block named twice.
    """
    swaps: dict[str, str] = {}
    for text in texts:
        block, equals, backend = text.partition("=")
        if not (block and equals and backend):
            raise InputError(f"--swap {text}: expected BLOCK=BACKEND, e.g. products.0.linear=e3nn")
        if block in swaps:
            raise InputError(f"--swap names {block} twice")
        swaps[block] = backend
    return swaps


def lines(findings: list[Record]) -> list[str]:
    """What to print: two lines for each swap, without and with adapters."""
    texts = []
    for f in findings:
        adapters = "with adapters" if f.variant == "adapted" else "without adapters"
        figures = ", ".join(
            f"{name} {value:.2g}"
            for key, name in (
                ("features_relative_l2", "relative L2"), ("features_correlation", "correlation"), ("features_max", "max"),
                ("energy_eV_per_atom", "energy eV/atom"), ("end_to_end_ratio", "times the noise"),
            )
            if isinstance(value := f.figures.get(key), (int, float))
        )  # fmt: skip
        named = {"pass": "MISMATCH, seen" if f.variant == "bare" else "ok", "indistinguishable": "ok, no layout changes"}
        verdict = named.get(f.verdict, f.verdict.upper())
        texts.append(f"{f.subject} ({f.backend}) {adapters}: {verdict}" + (f"; node features: {figures}" if figures else ""))
        if f.verdict in ("fail", "unsupported", "degraded") or not figures:
            texts.append(f"    {f.reason}")
        elif mismatched := f.figures.get("mismatched"):
            texts.append(f"    layout mismatch of {', '.join(mismatched) if isinstance(mismatched, list) else mismatched}")
    return texts


@shared("model", "system", "device", "cache", "seed")
def mix(
    model: str,
    swap: Swaps,
    system: list[str],
    device: str,
    cache: Path | None,
    seed: int,
    base: Annotated[str, typer.Option("--base", help="backend of all other blocks")] = ACCELERATED_BACKEND,
    structures: Annotated[int, typer.Option("--structures", help="perturbed structures of the end-to-end figures", min=2, max=10000)] = 100,
) -> None:
    """Swap blocks of a model for another backend's, without and with layout conversions, and say what that does."""
    swaps = parse_swaps(swap)
    # torch and mace take seconds to import; a wrong option must not
    from mpcheck._torch_state import neutral
    from mpcheck.checks.symmetry.mixing import keys_of, run, together
    from mpcheck.judge.follows import follow
    from mpcheck.sessions.run import Options, Session

    options = Options(
        model=model, systems=tuple(system or ()), device=device, backends=tuple(dict.fromkeys((base, *swaps.values()))), cache=cache, seed=seed,
        progress=lambda text: say(f"{text} …", error=True),
    )  # fmt: skip
    context = Session(options)
    with neutral():
        findings = [f for key in keys_of(context, base, swaps) for f in follow(context, run(context, key, structures))]
        if len(swaps) > 1:
            findings += together(context, base, swaps, structures)
    for line in lines(findings):
        say(line)
    failed = any(f.verdict in ("fail", "unsupported", "degraded") for f in findings)
    say("FAIL" if failed else "PASS: with adapters the mixed model equals the pure backend within noise, and every mismatch without is seen")
    raise typer.Exit(1 if failed else 0)
