"""OpenEquivariance: whether it loads here, and whether small products of it are e3nn's. Models with it are judged by other parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from mpcheck._names import CONVOLVED as NAME
from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.adapters.backends.oeq import COMPUTES_IN, missing
from mpcheck.adapters.backends.oeq_products import GROSS, PRODUCTS, Product, distances, lacks, loaded
from mpcheck.survey.found import Finding, write_found


def main(words: Sequence[str]) -> int:
    """``DEVICE OUT``: leave what was found in ``OUT``; 0."""
    device, out = words
    write_found(Path(out), list(findings(device)))
    return 0


def findings(device: str) -> Iterator[Finding]:
    """Whether it loads, and each product in each type."""
    if why := missing(device, NAME):
        yield Finding(name="load", backend=NAME, verdict="unsupported", reason=why.text, lacking=why.lacking)
        return
    yield Finding(name="load", backend=NAME, verdict="pass", reason=loaded())
    for product in PRODUCTS:
        if text := lacks(product):
            yield Finding(name=product.name, backend=NAME, verdict="unsupported", reason=text)
            continue
        for dtype in COMPUTES_IN:
            yield compared(product, dtype, torch.device(device))


@neutral()
def compared(product: Product, dtype: torch.dtype, device: torch.device) -> Finding:
    """One product in one type."""
    named = {"name": product.name, "backend": NAME, "format": str(dtype).removeprefix("torch.")}
    done = attempt(lambda: distances(product, dtype, device))
    if isinstance(done, Raised):
        return Finding.model_validate({**named, "verdict": "fail", "reason": f"raised {done.text}"})
    wrong = [f"{what} is off by {value:.3g} roundoffs" for what, value in done.items() if not value <= GROSS]
    told = {what: value for what, value in done.items() if value < float("inf")}
    return Finding.model_validate({**named, "verdict": "fail" if wrong else "pass", "reason": "; ".join(wrong), "figures": told})
