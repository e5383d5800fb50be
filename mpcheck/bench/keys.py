"""What is measured: one piece of work of a block, or of the whole model, on a backend, in a format, on a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from mpcheck._errors import InputError
from mpcheck.records.migrate import batched

Work = Literal["forward", "forward+backward", "energy", "energy+forces"]
"""Of a block: forward without gradients; forward and every gradient (inputs and parameters). Of the model: energy; energy and forces."""

MODEL = "model"
BLOCK_WORK: tuple[Work, ...] = ("forward", "forward+backward")
MODEL_WORK: tuple[Work, ...] = ("energy", "energy+forces")


@dataclass(frozen=True)
class BenchKey:
    """One benchmark.

    Attributes:
        system: as the user named it; batch: how often its frames are repeated in one graph batch.
        subject: a block's name, or ``model``.
    """

    system: str
    batch: int
    subject: str
    backend: str
    format: str
    work: Work

    @property
    def id(self) -> str:
        """``SYSTEM*BATCH/SUBJECT-BACKEND-FORMAT-WORK``: the name in records, baselines and test ids."""
        return f"{self.system}*{self.batch}/{self.subject}-{self.backend}-{self.format}-{self.work}"


def check_work(names: tuple[str, ...]) -> tuple[Work, ...]:
    """Names of work as a user typed them.

    Raises:
        InputError: an unknown one; lists the known ones.
    """
    known: tuple[Work, ...] = get_args(Work)
    for name in names:
        if name not in known:
            raise InputError(f"unknown work {name!r}; choose from {', '.join(known)}")
    return tuple(w for w in known if w in names)


def parse_id(name: str) -> dict[str, Any]:
    """The fields of a finding about a benchmark."""
    where, _, rest = name.rpartition("/")
    head, fmt, work = rest.rsplit("-", 2) if rest.count("-") >= 3 else (rest, "", "")
    subject, _, backend = head.partition("-")  # a backend's name may have one, a block's has none
    return {**batched(where), "subject": subject, "backend": backend, "format": fmt, "variant": work}


def fields_of(key: BenchKey) -> dict[str, Any]:
    """The fields of a finding about a benchmark."""
    return {"system": key.system, "batch": key.batch, "subject": key.subject, "backend": key.backend, "format": key.format, "variant": key.work}
