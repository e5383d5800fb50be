"""The garbage collector is held still, and goes on if it went on before."""

from __future__ import annotations

import contextlib
import gc

import pytest

from mpcheck._garbage import no_collection


@pytest.mark.parametrize("on", [True, False])
def test_what_was_before_is_put_back(on: bool) -> None:
    (gc.enable if on else gc.disable)()
    try:
        with contextlib.suppress(ValueError), no_collection():
            assert not gc.isenabled()
            raise ValueError
        assert gc.isenabled() is on
    finally:
        gc.enable()
