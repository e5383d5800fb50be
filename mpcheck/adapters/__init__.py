"""The only importers of mace, e3nn, cuEquivariance and OpenEquivariance: load, convert, find blocks, layouts.

``mpcheck.adapters.mix`` makes a model of blocks from different backends; it is imported at first use, so that importing the
package stays cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpcheck.adapters.backends.mixed import mix

__all__ = ["mix"]


def __getattr__(name: str) -> Any:
    if name == "mix":
        from mpcheck.adapters.backends.mixed import mix

        return mix
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
