"""Bad input is one line, whatever is quoted in it; an error of upstream is told by its last line."""

from __future__ import annotations

import pytest
import torch

from mpcheck._errors import LONGEST, InputError, error_line, unimplemented
from tests.unit.hostile import TEXTS, unseen


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_refusal_is_one_line_with_its_beginning_and_its_end(text: str) -> None:
    line = str(InputError(f"records x.json: {text}; make it anew"))
    assert "\n" not in line and not unseen(line)
    assert line.startswith("records x.json: ") and line.endswith("; make it anew")
    longest = str(InputError(f"records x.json: {text * 3000}; make it anew"))
    assert len(longest) <= LONGEST + 3 and longest.endswith("make it anew"), "the middle is left out"


class UnreadableError(Exception):
    """Of a model's own code, which may be wrong in this, too."""

    def __str__(self) -> str:
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\n  last  \n\n"), "ValueError: last"),
        (RuntimeError("Traceback of TorchScript\nRuntimeError: shape"), "RuntimeError: shape"),
        (
            RuntimeError('\nReturn value was annotated as Tensor:\n  File "a.py", line 3\n    return (\n  ~~ <--- HERE\n  )  # [n]\n'),
            "RuntimeError: Return value was annotated as Tensor:",
        ),
        (RuntimeError('Traceback\n  File "a.py"\n  x <--- HERE\nRuntimeError: shape'), "RuntimeError: shape"),
        (KeyError(), "KeyError"),
        (UnreadableError(), "UnreadableError: (its message cannot be read)"),
    ],
)
def test_the_last_line_is_what_went_wrong(error: Exception, line: str) -> None:
    assert error_line(error) == line
    assert len(error_line(ValueError("x" * 5000))) < 350


def raised_in(module: str) -> Exception:
    """A ``NotImplementedError`` that code of a module raised."""
    try:
        exec("raise NotImplementedError('not made for this')", {"__name__": module})
    except NotImplementedError as error:
        return error
    raise AssertionError("it raises")


def test_what_torch_or_a_kernel_lacks_is_told_from_a_fault() -> None:
    with pytest.raises((RuntimeError, NotImplementedError)) as lacking:
        torch.linalg.qr(torch.eye(2, dtype=torch.float16))
    assert unimplemented(lacking.value)
    assert unimplemented(raised_in("cuequivariance_torch.primitives"))
    assert not unimplemented(raised_in("somebody.model")), "a model's own is a fault"
    assert not unimplemented(ValueError("not implemented for 'Half'")) and not unimplemented(RuntimeError("shape mismatch"))
