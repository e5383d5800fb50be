"""The model of one head that upstream's ``mace_select_head`` writes against that head of the model of all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.facts.tensors import of_other_types
from mpcheck.adapters.selection import selected
from mpcheck.checks.physics.structure import Case, Values
from mpcheck.checks.uses.asking import STRAINED, Difference, differences, flags_of, heads_of, judged, outputs, scales, structures
from mpcheck.checks.uses.calculator import MOST_HEADS
from mpcheck.formats import FLOAT64
from mpcheck.records.record import Record

COMPARED = ("energy", "node_energy", "interaction_energy", "forces", "virials", "stress")


def select_head(case: Case) -> list[Record]:
    """A finding of each head."""
    heads = heads_of(case)
    if case.model is not case.context.reference_backend.model:
        return [case.finding(None, verdict="unsupported", reason="mace_select_head takes the e3nn model")]
    if len(heads) < 2:
        return [case.finding(None, verdict="unsupported", reason="the model has one head, and mace_select_head wants several")]
    return [_judge(case, number, head) for number, head in list(enumerate(heads))[:MOST_HEADS]]


def _judge(case: Case, number: int, head: str) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        made = attempt(lambda: selected(case.model, Path(folder), head))
    if isinstance(made, Raised):
        if isinstance(made.error, ImportError):
            return case.finding(None, variant=head, verdict="unsupported", reason=f"upstream has no mace_select_head: {made.line}")
        return case.finding(None, variant=head, reason=f"mace_select_head raised {made.text}")
    rows = attempt(lambda: list(_rows(case, made.to(case.device), number)))
    if isinstance(rows, Raised):
        return case.finding(None, variant=head, reason=f"a model was written, and raised {rows.text}")
    record = judged(case, rows, head, f"the model of head {head} gives another {{0.what}} than that head, by {{0.size:.3g}}".format)
    left = of_other_types(made, torch.float64)
    if record.verdict == "pass" and left:
        return case.finding(None, variant=head, reason=f"the model of head {head}, of one in {FLOAT64.name}, has {left[0]} ({len(left)} in all)")
    if record.verdict == "pass" and list(getattr(made, "heads", [head])) != [head]:
        return case.finding(None, variant=head, reason=f"the model of head {head} calls its heads {', '.join(map(str, made.heads))}")  # type: ignore[arg-type]
    return record


def _rows(case: Case, made: torch.nn.Module, number: int) -> Iterator[Difference]:
    graph = case.graph(*structures(case))
    of_head = {**graph, "head": torch.full_like(graph["head"], number)}
    alone = {**graph, "head": torch.zeros_like(graph["head"])}
    flags = flags_of(case.model, **STRAINED)

    def told(model: torch.nn.Module, given: Values) -> Values:
        return {n: v for n, v in outputs(model, given, **flags).items() if n in COMPARED}

    yield from differences(case, told(made, alone), told(case.model, of_head), scales(case, lambda: told(case.model, of_head), "head", str(number)))
