"""Fuzz the suite for some seconds, shrink what is found and keep it: ``python -m tests.fuzz.runs --seconds 600 --keep``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.cases import CORPUS, Case
from tests.fuzz.judging import Judged, judge_case
from tests.fuzz.strategies import cases

SHRINKING = 90.0  # seconds that making one failing case smaller may take
ROUND = 6  # cases that one seed of hypothesis draws: later ones resemble those before
MOST = 1000  # cases of the derandomised run, more than any time allows


@dataclass
class Campaign:
    """Cases drawn one after another until the time is over.

    Attributes:
        seconds: time for new cases; shrinking a failure comes on top, at most SHRINKING seconds for each.
        tally: verdicts of all notes; explanations: reasons and how many cases gave them, names and numbers as they were.
        failures: the smallest case found for each kind of failure, and what was wrong with it.
    """

    seconds: float
    shrinking: float = SHRINKING
    progress: Callable[[str], None] = lambda _: None
    found: Callable[[Case, Judged], None] = lambda *_: None
    judged: dict[str, Judged] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    explanations: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[Case, Judged]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether the time for new cases is used up."""
        return time.monotonic() - self._began >= self.seconds

    def judge(self, case: Case) -> Judged:
        """A case's verdicts; one that was judged before is not judged again, so that the last replay costs nothing."""
        if case.digest not in self.judged:
            with tempfile.TemporaryDirectory() as directory:
                began = time.monotonic()
                judged = self.judged[case.digest] = judge_case(case, Path(directory))
            self.tally += judged.tally
            self.explanations += Counter(set(judged.reasons))
            seconds = time.monotonic() - began
            words = "refused" if judged.refused else ", ".join(f"{n} {v}" for v, n in sorted(judged.tally.items()))
            self.progress(f"{len(self.judged):4} {case.digest} {seconds:5.1f} s  {'RED ' if judged.wrong else ''}{words}")
        return self.judged[case.digest]

    def run_round(self, seed: int | None) -> bool:
        """Draw cases until one fails, which is made smaller; False where none did.

        Args:
            seed: of hypothesis; None for its derandomised draws, the same in every run.
        """
        wanted: set[str] = set()
        smallest: list[tuple[Case, Judged]] = []
        until = float("inf")

        def body(case: Case) -> None:
            nonlocal wanted, until
            if case.digest not in self.judged and (time.monotonic() > until if smallest else self.over):
                return
            judged = self.judge(case)
            kinds = judged.signatures - self.known
            if not kinds or (wanted and not kinds & wanted):
                return
            if not smallest:
                wanted, until = kinds, time.monotonic() + self.shrinking
            smallest.append((case, judged))
            raise AssertionError("\n".join(judged.wrong))

        test = hypothesis.given(cases())(body)
        test = hypothesis.settings(
            max_examples=MOST if seed is None else ROUND, deadline=None, database=None, derandomize=seed is None, report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck), print_blob=False,
        )(test)  # fmt: skip
        if seed is not None:
            test = hypothesis.seed(seed)(test)
        try:
            test()
        except AssertionError:
            case, judged = smallest[-1]
            self.failures.append((case, judged))
            self.found(case, judged)
            self.known |= judged.signatures
            return True
        return False

    def run(self, first_seed: int | None) -> None:
        """Rounds until the time is over. With a seed, the next round takes the next one; without, there is one round.

        A kind of failure that was found is not looked for again, so that one fault does not hide the others.
        """
        self.run_round(first_seed)
        while first_seed is not None and not self.over:
            first_seed += 1
            self.run_round(first_seed)


def keep(case: Case, judged: Judged, directory: Path = CORPUS) -> Path:
    """Write a failure to the corpus at once, with the line that says what it found; what it should say is for a person to see to."""
    path = directory / f"found-{case.digest}.yaml"
    case.model_copy(update={"found": judged.wrong[0].splitlines()[-1][:300]}).save(path)
    return path


def report(case: Case, judged: Judged) -> None:
    """A failure on standard output."""
    print(f"\n{case.digest}\n  " + "\n  ".join(judged.wrong[:12]), flush=True)


def report_and_keep(case: Case, judged: Judged) -> None:
    """A failure on standard output and in the corpus."""
    report(case, judged)
    print(f"  kept as {keep(case, judged)}\n", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.runs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="time for new cases")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--shrinking", type=float, default=SHRINKING, help="seconds for making one failing case smaller")
    parser.add_argument("--keep", action="store_true", help="write failing cases to tests/fuzz/corpus")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # upstream's, hundreds of them
    found = report_and_keep if chosen.keep else report
    campaign = Campaign(chosen.seconds, chosen.shrinking, lambda text: print(text, file=sys.stderr, flush=True), found)
    campaign.run(chosen.seed)
    print(f"{len(campaign.judged)} cases: " + ", ".join(f"{n} {v}" for v, n in sorted(campaign.tally.items())))
    for reason, count in campaign.explanations.most_common(40):
        print(f"{count:4} cases  {reason[:200]}")
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
