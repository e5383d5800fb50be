"""Write docs/examples: the report of a clean, a wrong and a slow change, from the very runs that tests/gate judges.

``python tools/gate_examples.py [NAME …]``: minutes; ``nox -s gate-tests -- --docs`` does it after the tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"


def main(names: list[str]) -> int:
    """Gate the named branches, all by default; 1 where one did not come out as it must."""
    sys.path.insert(0, str(ROOT))
    from mpcheck._files.io import write_text
    from tests.gate.adopter import CHANGES, fork
    from tests.gate.scenarios import pull_request

    wrong = 0
    with tempfile.TemporaryDirectory(prefix="mpcheck-examples-") as directory:
        home = Path(directory)
        repository = fork(home / "mace-fork")
        for name in names or list(CHANGES):
            runner = pull_request(name, repository, home / name)
            if runner.codes["Gate"] != int(bool(CHANGES[name].block)):
                print(f"{name} did not come out as it must:\n{runner.log}", file=sys.stderr)
                wrong = 1
                continue
            write_text(EXAMPLES / f"{name}.html", (runner.artifact / "report.html").read_text(encoding="utf-8"))
            print(f"wrote {EXAMPLES / name}.html")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
