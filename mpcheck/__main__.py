"""``python -m mpcheck``."""

from mpcheck.cli import entry

entry()
