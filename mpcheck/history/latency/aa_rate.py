"""How often this machine calls identical code slower: its own measured false-alarm rate, and whether it may gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from scipy.stats import binomtest

from mpcheck._files.documents import DocumentKind, write_document
from mpcheck._files.stored import Stamp
from mpcheck._files.yaml import Strict
from mpcheck.history.latency.device import DeviceKey

REMEDY = "remove it and measure the rate again"
Mode = Literal["stored", "ab"]
ENOUGH = 5
"""The upper end of the interval must be at most so many times the nominal rate: 72 comparisons without an alarm at 5 x 1 %."""


class AARate(Stamp):
    """Identical code compared with itself.

    Attributes:
        mode: against stored figures, or base against head in the same minutes.
        comparisons: how many were decided; alarms: how many of them called a regression.
        nominal: the rate of alarms that the decision promises.
    """

    mode: Mode
    comparisons: Annotated[int, Field(ge=1)]
    alarms: Annotated[int, Field(ge=0)]
    nominal: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _counts_fit(self) -> AARate:
        if self.alarms > self.comparisons:
            raise ValueError(f"alarms: {self.alarms} in only {self.comparisons} comparisons")
        return self

    @property
    def rate(self) -> float:
        """Alarms over comparisons."""
        return self.alarms / self.comparisons

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404)."""
        interval = binomtest(self.alarms, self.comparisons).proportion_ci(0.95, "exact")
        return float(interval.low), float(interval.high)

    @property
    def may_gate(self) -> bool | None:
        """False: the rate certainly exceeds the nominal one. True: measured well enough, and not so. None: too few comparisons."""
        low, high = self.interval
        if low > self.nominal:
            return False
        return True if high <= ENOUGH * self.nominal else None

    @property
    def reason(self) -> str:
        """What is known, in a line."""
        low, high = self.interval
        measured = (
            f"{self.alarms} alarms in {self.comparisons} comparisons of identical code"
            f" ({100 * self.rate:.2g} %, 95 % interval {100 * low:.2g} to {100 * high:.2g} %), nominal {100 * self.nominal:g} %"
        )
        ends = {True: "", False: ": more than nominal, this machine must not gate", None: ": too few comparisons to tell"}
        return measured + ends[self.may_gate]


class AARates(Strict):
    """All that were measured on a device, at most one of each mode."""

    schema_version: Literal[1] = 1
    suite: Literal["bench-aa"] = "bench-aa"
    device: DeviceKey
    rates: list[AARate]

    @model_validator(mode="after")
    def _one_of_each(self) -> AARates:
        modes = [rate.mode for rate in self.rates]
        if len(set(modes)) < len(modes):
            raise ValueError("rates: a mode occurs twice")
        return self

    def of(self, mode: Mode) -> AARate | None:
        """The rate of a mode; None where it was not measured."""
        return next((rate for rate in self.rates if rate.mode == mode), None)


KIND = DocumentKind(AARates, "false-alarm rates", 1, REMEDY, "bench-aa")


def aa_path(directory: Path, slug: str) -> Path:
    """``baselines/<device>/aa.json``."""
    return directory / slug / "aa.json"


def read_aa(path: Path) -> AARates | None:
    """Measured rates; None where there is no file.

    Raises:
        InputError: damaged, foreign, or of a future schema.
    """
    return KIND.read_if_there(path)


def store_aa(path: Path, device: DeviceKey, rate: AARate) -> AARates:
    """Put a rate in its file; one of the same mode is replaced, others stay, unless they are of another machine.

    Raises:
        InputError: the file that is there is damaged (it is not overwritten), or the place cannot be written.
    """
    old = read_aa(path)
    kept = [r for r in old.rates if r.mode != rate.mode] if old is not None and not old.device.matches(device) else []
    new = AARates(device=device, rates=[*kept, rate])
    write_document(path, new, "rates")
    return new
