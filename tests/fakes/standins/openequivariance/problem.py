"""What a tensor product is: ``openequivariance.core.e3nn_lite.TPProblem``, and the types that it can have."""

from __future__ import annotations

import copy
from math import prod
from typing import Any

import numpy as np
import torch
from e3nn import o3

MODES = ("uvu", "uvw")
TYPES = {np.float32: torch.float32, np.float64: torch.float64}


def torch_to_oeq_dtype(torch_dtype: torch.dtype) -> type[np.generic]:
    for known, dtype in TYPES.items():
        if dtype == torch_dtype:
            return known
    raise ValueError("Unsupported torch dtype!")


class TPProblem:
    def __init__(
        self,
        irreps_in1: Any,
        irreps_in2: Any,
        irreps_out: Any,
        instructions: list[tuple[Any, ...]],
        in1_var: list[float] | None = None,
        in2_var: list[float] | None = None,
        out_var: list[float] | None = None,
        irrep_normalization: str = "component",
        path_normalization: str = "element",
        internal_weights: bool | None = False,
        shared_weights: bool | None = None,
        label: str | None = None,
        irrep_dtype: type[np.generic] = np.float32,
        weight_dtype: type[np.generic] = np.float32,
        layout: str = "mul_ir",
    ) -> None:
        assert layout in ["mul_ir", "ir_mul"]
        assert irrep_dtype in TYPES and weight_dtype in TYPES
        self.irreps_in1, self.irreps_in2, self.irreps_out = map(o3.Irreps, (irreps_in1, irreps_in2, irreps_out))
        self.instructions_raw = instructions
        self.in1_var, self.in2_var, self.out_var = in1_var, in2_var, out_var
        self.irrep_normalization, self.path_normalization = irrep_normalization, path_normalization
        self.internal_weights = internal_weights
        self.shared_weights = True if shared_weights is None else shared_weights
        self.label, self.layout = label or "", layout
        self.irrep_dtype, self.weight_dtype = irrep_dtype, weight_dtype
        self.weight_numel = sum(prod(self._shape(i)) for i in instructions if i[4])

    def _shape(self, instruction: tuple[Any, ...]) -> tuple[int, ...]:
        first, second, out, mode = instruction[:4]
        shape = (self.irreps_in1[first].mul, self.irreps_in2[second].mul)
        return (*shape, self.irreps_out[out].mul) if mode == "uvw" else shape

    def clone(self) -> TPProblem:
        return copy.deepcopy(self)

    def checked(self) -> None:
        """``filter_and_analyze_problem``: what there are kernels for."""
        mode = self.instructions_raw[0][3]
        for i, instruction in enumerate(self.instructions_raw):
            assert instruction[3] == mode, "All instructions must have the same connection mode"
            assert instruction[4], f"All instructions must have trainable weights, got False at index {i}"
        assert mode in MODES, f"Connection mode must be 'uvu' or 'uvw', got {mode}"
        assert self.layout == "mul_ir" or mode == "uvu", "layout='ir_mul' is only supported for pure 'uvu' problems"
        assert self.irrep_dtype == self.weight_dtype, "irrep_dtype and weight_dtype must be the same"
        assert not self.internal_weights, "Openequivariance does not support internal weights"
