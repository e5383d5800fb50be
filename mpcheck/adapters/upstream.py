"""Import mace, e3nn and cuEquivariance without what their imports leave behind.

``import mace`` sets ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` for the whole process, which switches off torch's safe loading,
and must come before ``import e3nn`` on torch >= 2.6. Every other module that needs upstream imports it from here.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator

import torch

from mpcheck._garbage import no_collection

_SAFE_LOADING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


@contextlib.contextmanager
def environment_restored(*names: str) -> Iterator[None]:
    """Put the named environment variables back as they were."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Run under another default dtype and restore the old one (upstream's constructors read it, its converters set it)."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings of upstream's constructors that their users cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# What imports make stays: to look through it for garbage again and again takes a fifth of their time (5.3 s, without 4.1 s).
with quiet(), no_collection(), environment_restored(_SAFE_LOADING):
    import mace
    import mace.data
    import mace.data.neighborhood
    import mace.modules
    import mace.modules.blocks
    import mace.modules.models
    import mace.modules.utils
    import mace.tools
    from e3nn import nn as e3nn_nn
    from e3nn import o3
    from mace.modules.symmetric_contraction import Contraction, SymmetricContraction

__all__ = ["Contraction", "SymmetricContraction", "default_dtype", "e3nn_nn", "environment_restored", "mace", "o3", "quiet"]
