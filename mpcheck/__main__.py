"""``python -m mpcheck``."""

from mpcheck.cli.main import entry

entry()
