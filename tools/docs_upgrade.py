"""Make docs/includes/upgrade.txt: what `mpcheck compare` says of an upgrade of cuEquivariance, from records of two environments.

Both have the wheel of this tree and every package of the present environment; the first has an older cuEquivariance before it. Minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.wheel.installed import installed  # noqa: E402

OLD = "0.6.1"
"""The oldest release of the series that pyproject.toml allows."""
PACKAGES = ("cuequivariance", "cuequivariance-torch")
RUN = ["mpcheck", "run", "builtin:hco", "--system", "builtin:dense", "--format", "float32", "--format", "bfloat16"]
COMPARE = ["mpcheck", "compare", "before", "after"]
TEXT = ROOT / "docs" / "includes" / "upgrade.txt"


def main() -> int:
    """Run, upgrade, run, compare."""
    with tempfile.TemporaryDirectory(prefix="upgrade-") as folder:
        here, old = Path(folder), Path(folder) / "old"
        environment = installed(here)
        wanted = [f"{name}=={OLD}" for name in PACKAGES]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(old), *wanted], check=True)
        lines = []
        for name, variables, typed in (
            ("before", {"PYTHONPATH": str(old)}, f"pip install {' '.join(wanted)}"),
            ("after", {}, f"pip install --upgrade {' '.join(PACKAGES)}"),
        ):
            done = environment.run([*RUN, "--out", name], here, **variables)
            if done.returncode not in (0, 1):
                print(done.stdout, done.stderr, file=sys.stderr)
                return 1
            verdict = next(line for line in done.stdout.splitlines() if line.startswith(("PASS:", "FAIL:")))
            lines += [f"$ {typed}", f"$ {' '.join([*RUN, '--out', name])}", "…", verdict]
        told = environment.run(COMPARE, here)
        if told.returncode not in (0, 1):
            print(told.stdout, told.stderr, file=sys.stderr)
            return 1
        lines += [f"$ {' '.join(COMPARE)}", *(line.rstrip() for line in told.stdout.rstrip().splitlines()), "$ echo $?", str(told.returncode)]
    TEXT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TEXT.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
