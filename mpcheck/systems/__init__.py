"""Structures to check a model on: built-in ones and files, always rattled, always of the model's elements."""

from mpcheck.systems.builtin import BUILTIN, DEFAULT_SYSTEMS, available_systems
from mpcheck.systems.resolve import Structures, resolve_system

__all__ = ["BUILTIN", "DEFAULT_SYSTEMS", "Structures", "available_systems", "resolve_system"]
