"""Stands in for OpenEquivariance where there is no GPU: its interface, as of 0.7.0, and e3nn's arithmetic in place of its kernels.

A process has it that has this package's folder on its path, or in which ``tests.fakes.oeq.stand_in`` has put it. It computes where mpcheck
is told of a CUDA device (``tests/fakes/posing``), and is as strict as the real one about types, shapes and indices.
"""

from openequivariance.problem import TPProblem, torch_to_oeq_dtype
from openequivariance.products import TensorProduct, TensorProductConv, transpose_irreps

__version__ = "0.7.0"
__all__ = ["TPProblem", "TensorProduct", "TensorProductConv", "torch_to_oeq_dtype", "transpose_irreps"]
