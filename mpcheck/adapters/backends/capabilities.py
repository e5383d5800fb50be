"""What can be required: a device, stored figures, every registered backend, and what backends say that they may lack."""

from __future__ import annotations

from collections.abc import Collection

from mpcheck._unsupported import BASELINE, CUDA
from mpcheck._variants import PLUS, is_variant
from mpcheck.adapters.backends import protocol


def capabilities() -> dict[str, str]:
    """What registered backends may lack besides being there, and what is said where it is missing."""
    return {name: text for backend in protocol.backends().values() for name, text in backend.capabilities.items()}


def requirable() -> list[str]:
    """Everything that can be required, by name."""
    return list(dict.fromkeys((CUDA, *protocol.backends(), *capabilities(), BASELINE)))


def unknown(required: Collection[str]) -> list[str]:
    """What of it nobody knows; a backend may be required in a variant."""
    known = requirable()
    return sorted(name for name in set(required) - set(known) if not is_variant(name, protocol.backends()))


def covers(required: str, name: str) -> bool:
    """Whether a requirement is of this capability, or of the backend of this name or of a variant of it (``cueq`` of ``cueq-mul_ir`` and of
    ``cueq+compile``).

    Who requires what a backend may lack requires that backend.
    """
    known = capabilities()
    if name == required or (name.startswith((f"{required}-", required + PLUS)) and name not in known):
        return True
    return required in known and any(covers(owner, name) for owner, backend in protocol.backends().items() if required in backend.capabilities)


def lacks(required: Collection[str], backend: str, lacking: str) -> bool:
    """Whether what is missing, to a cell of a backend, is something that the user requires: itself, or the backend that cannot run for it."""
    return bool(lacking) and any(covers(r, lacking) or (lacking not in capabilities() and covers(r, backend)) for r in required)
