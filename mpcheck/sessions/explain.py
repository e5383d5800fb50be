"""Where the allowed absolute error of a cell comes from, in words and numbers."""

from __future__ import annotations

from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._progress import PROGRESS
from mpcheck._text import number
from mpcheck._unsupported import Unsupported
from mpcheck.checks.precision import CellKey
from mpcheck.formats import COMPONENTS, get_format
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session

WORDS = {
    "stored": "inputs, cotangents, parameters and buffers held in the format",
    "constant": "numbers in the code (normalisations)",
    "operand": "operands of matrix products, rounded anew",
    "product": "results of matrix products",
    "operation": "results of all other operations",
    "inner": "partial sums and inner steps of operations",
    "scatter": "partial sums of scatters",
    "gather": "partial sums in the backward of indexing",
    "underflow": "values below the normal range",
    "converted": "parameters after the converter's map",
    "result": "results, multiplied by numbers that e3nn's code has not",
}


def explain(model: str, system: str, block: str, fmt_name: str, backend: str, cache: Path | None, seed: int, device: str = "cpu") -> str:
    """A page of text about both directions of one block in one format.

    Raises:
        InputError: unknown names.
    """
    fmt = get_format(fmt_name)
    options = Options(
        model=model, systems=(system,) if system else (), backends=(backend,), formats=(fmt.name,), blocks=(block,), cache=cache, seed=seed,
        device=device, progress=PROGRESS,
    )  # fmt: skip
    session = Session(options)
    name = next(iter(session.systems))
    lines = []
    for chosen in session.blocks(name):
        for direction in ("forward", "backward"):
            key = CellKey(name, chosen.name, backend, fmt.name, direction)
            cell = judge_by_limits(session, key)
            PROGRESS.clear()
            lines += [f"{cell.id}: {cell.verdict}" + (f" ({cell.reason})" if cell.reason else "")]
            if cell.quantities:
                lines += _quantities(session, key, cell)
    return "\n".join(lines)


def _quantities(session: Session, key: CellKey, cell: Record) -> list[str]:
    fmt = get_format(key.format)
    check = session.check(key.system)
    backend = session.backend(key.backend)
    if isinstance(backend, Unsupported):
        raise InputError(f"backend {key.backend}: {backend}")
    reference = check.library.get(key.block)
    roundoff = backend.roundoff(reference.block, fmt)
    lines = [f"  {fmt.name}: unit roundoff u = {fmt.u:.3g}; sums are kept {fmt.accumulation}"]
    for quantity in cell.quantities:
        value = reference.values[quantity.name]
        lines.append(f"  {quantity.name} {quantity.shape}, rms value {float(value.square().mean().sqrt()):.3g}")
        total = 0.0
        for component in COMPONENTS:
            noise = reference.noise[quantity.name].get(component)
            if noise is None or not roundoff[component]:
                continue
            part = roundoff[component] * float(noise.double().square().mean().sqrt())
            total += part**2
            noise_rms = part / roundoff[component]
            lines.append(f"    {component:10s} u {roundoff[component]:.2e} x noise {noise_rms:.3g} = {part:.3g}   {WORDS[component]}")
        if u := roundoff.get("result", 0.0):
            rms = float(value.square().mean().sqrt())
            total += (u * rms) ** 2
            lines.append(f"    {'result':10s} u {u:.2e} x value {rms:.3g} = {u * rms:.3g}   {WORDS['result']}")
        lines += _allowed(quantity, total**0.5)
    return lines


def _allowed(q: Quantity, scale: float) -> list[str]:
    worst = ""
    if w := q.worst:
        worst = f"; worst element {w.place}: {number(w.value)} for {number(w.expected)}, allowed ± {number(w.allowed)}"
    return [
        f"    noise scale: root of the sum of squares = {scale:.3g} (rms over the tensor)",
        f"    rms ratio {number(q.rms)} (limit {number(q.rms_limit)}), max ratio {number(q.max)} (limit {number(q.max_limit)})",
        f"    allowed max_abs {number(q.allowed_abs)} = largest of max limit x (s + 0.1 rms(s)); measured {number(q.max_abs)}{worst}",
    ]
