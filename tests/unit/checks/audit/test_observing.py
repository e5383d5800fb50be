"""A run is watched once; what it leaks and warns of is kept and put back."""

from __future__ import annotations

import warnings

import torch

from mpcheck.adapters.construction import DtypeChanges
from mpcheck.checks.audit.observing import default_dtype_watched, forget, observe
from mpcheck.formats import FORMATS
from mpcheck.sessions.run import Session

BF16 = FORMATS["bfloat16"]


def test_leaked_dtypes_are_put_back_and_named() -> None:
    found: list[torch.dtype] = []
    with default_dtype_watched(found.append), DtypeChanges() as changes:
        torch.set_default_dtype(torch.float64)
    assert found == [torch.float64] and torch.get_default_dtype() == torch.float32
    assert changes.last() == f"test_leaked_dtypes_are_put_back_and_named of {__name__}" and torch.set_default_dtype.__name__ == "set_default_dtype"


def test_a_run_is_watched_once(session: Session) -> None:
    reference, backend = session.library("builtin:water").get("scale_shift"), session.reference_backend
    allowed = frozenset({torch.bfloat16})
    forget(session)
    first = observe(session, "builtin:water", backend, reference, BF16, allowed)
    assert observe(session, "builtin:water", backend, reference, BF16, allowed) is first
    forget(session)
    assert observe(session, "builtin:water", backend, reference, BF16, allowed) is not first


def test_warnings_of_a_run_are_kept_from_the_user(session: Session) -> None:
    backend, library = session.reference_backend, session.library("builtin:water")
    module = backend.model.get_submodule("scale_shift")
    handle = module.register_forward_hook(lambda *_: warnings.warn("falling back\nsecond line", UserWarning, stacklevel=1))
    forget(session)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            seen = observe(session, "builtin:water", backend, library.get("scale_shift"), BF16, frozenset({torch.bfloat16}))
    finally:
        handle.remove()
        forget(session)
    assert seen.warnings == ["falling back"] and seen.error is None
