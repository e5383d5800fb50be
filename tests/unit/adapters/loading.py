"""What the tests of loading models share."""

from __future__ import annotations

import pytest

from mpcheck._errors import InputError
from mpcheck.adapters.load import load_model

SAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def refusal(spec: str) -> str:
    with pytest.raises(InputError) as caught:
        load_model(spec)
    message = str(caught.value)
    assert "\n" not in message
    return message
