"""What foreign code raised: what is told of it, and where it was."""

from __future__ import annotations

import pytest
import torch

from mpcheck._raised import Raised, attempt, raised


def test_ctrl_c_is_no_record() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


def test_the_innermost_frame_of_the_judged_code_is_named() -> None:
    class BesselBasis(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            table = {torch.float64: 1.0, torch.bfloat16: 1.0}
            return x * table[x.dtype]

    found = attempt(lambda: torch.nn.Sequential(BesselBasis())(torch.ones(1, dtype=torch.float32)))
    assert isinstance(found, Raised)
    assert found.text == "KeyError: torch.float32 in BesselBasis.forward" and not found.missing


def test_a_scripted_module_is_named_by_its_class() -> None:
    class Doubling(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(7)

    found = attempt(lambda: torch.jit.script(Doubling())(torch.ones(2)))
    assert isinstance(found, Raised) and found.place == "Doubling.forward" and found.line.startswith("RuntimeError: shape")


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'"), True),
        (NotImplementedError("Could not run 'aten::mm' with arguments from the 'Meta' backend"), True),
        (NotImplementedError("this fork does not do float32"), False), (KeyError("not implemented for 'Half'"), False),
        (RuntimeError("expected scalar type Float but found Half"), False),
    ],
)  # fmt: skip
def test_only_torch_and_kernel_libraries_lack_operations(error: BaseException, missing: bool) -> None:
    assert raised(error).missing is missing
