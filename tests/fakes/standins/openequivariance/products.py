"""The modules: as ``openequivariance.TensorProduct`` and ``TensorProductConv`` they have neither parameters nor buffers, make their kernels
anew when they are cast, and are pickled by what they were made of.
"""

from __future__ import annotations

from typing import Any

import torch

from mpcheck._cuda import CUDA
from openequivariance import kernels
from openequivariance.kernels import transpose_irreps
from openequivariance.problem import TYPES, TPProblem, torch_to_oeq_dtype

__all__ = ["TensorProduct", "TensorProductConv", "transpose_irreps"]


def check_tensor(tensor: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype, name: str) -> None:
    if tuple(tensor.shape) != shape:
        raise RuntimeError(f"Shape mismatch for tensor '{name}'. Expected: {list(shape)}. Got: {list(tensor.shape)}")
    if tensor.dtype != dtype:
        raise RuntimeError(f"Dtype mismatch for tensor '{name}'. Expected: {dtype}. Got: {tensor.dtype}")


class _Made(torch.nn.Module):
    """What both modules do alike."""

    input_args: dict[str, Any]
    weight_numel: int

    def _init_class(self) -> None:
        if not CUDA.is_available():
            raise RuntimeError("CUDA Error: no CUDA-capable device is detected")
        problem: TPProblem = self.input_args["problem"]
        problem.checked()
        self.config = problem.clone()
        kernels.module(self.config)  # compiled here, and not in the first call
        self.weight_numel, self.L3_dim = problem.weight_numel, problem.irreps_out.dim

    def to(self, *args: Any, **kwargs: Any) -> Any:
        _, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype is not None:
            problem = self.input_args["problem"].clone()
            problem.irrep_dtype = problem.weight_dtype = torch_to_oeq_dtype(dtype)
            self.input_args["problem"] = problem
            self._init_class()
        torch.nn.Module.to(self, *args, **kwargs)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        if getattr(self, "_applying", False):
            return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        dtype = TYPES[self.input_args["problem"].irrep_dtype]  # type: ignore[index]
        result = fn(torch.tensor(0.0, dtype=dtype))
        if result.dtype != dtype:
            self._applying = True
            self.to(result.dtype)
            self._applying = False
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        return self.input_args

    def __setstate__(self, state: dict[str, Any]) -> None:
        torch.nn.Module.__init__(self)
        self.input_args = state
        self._init_class()

    def reorder_weights_from_e3nn(self, weights: Any, has_batch_dim: bool = True) -> Any:
        return weights

    def reorder_weights_to_e3nn(self, weights: Any, has_batch_dim: bool = True) -> Any:
        return weights

    def _checked(self, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor, nodes: int, edges: int) -> None:
        problem: TPProblem = self.config
        dtype = TYPES[problem.irrep_dtype]  # type: ignore[index]
        check_tensor(x, (nodes, problem.irreps_in1.dim), dtype, "L1_in")
        check_tensor(y, (edges, problem.irreps_in2.dim), dtype, "L2_in")
        check_tensor(w, (problem.weight_numel,) if problem.shared_weights else (edges, problem.weight_numel), dtype, "W")


class TensorProduct(_Made):
    def __init__(self, problem: TPProblem, torch_op: bool = True, use_opaque: bool = False) -> None:
        torch.nn.Module.__init__(self)
        self.input_args = {"problem": problem, "torch_op": torch_op, "use_opaque": use_opaque}
        self._init_class()

    def forward(self, x: torch.Tensor, y: torch.Tensor, W: torch.Tensor) -> torch.Tensor:  # noqa: N803 - as the real one
        self._checked(x, y, W, x.shape[0], x.shape[0])
        return kernels.product(self.config, x, y, W)


class TensorProductConv(_Made):
    def __init__(
        self, problem: TPProblem, *, deterministic: bool = False, kahan: bool = False, torch_op: bool = True, use_opaque: bool = False
    ) -> None:
        torch.nn.Module.__init__(self)
        self.input_args = {"problem": problem, "deterministic": deterministic, "kahan": kahan, "torch_op": torch_op, "use_opaque": use_opaque}
        self._init_class()

    def forward(
        self,
        X: torch.Tensor,  # noqa: N803
        Y: torch.Tensor,  # noqa: N803
        W: torch.Tensor,  # noqa: N803
        rows: torch.Tensor,
        cols: torch.Tensor,
        sender_perm: torch.Tensor | None = None,
    ) -> torch.Tensor:
        self._checked(X, Y, W, X.shape[0], rows.shape[0])
        for name, index in (("rows", rows), ("cols", cols)):
            check_tensor(index, (Y.shape[0],), torch.int64, name)
        messages = kernels.product(self.config, X[cols], Y, W)
        return X.new_zeros(X.shape[0], messages.shape[1]).index_add(0, rows, messages)
