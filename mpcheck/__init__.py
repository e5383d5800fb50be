"""mpcheck: numerical regression and CI suite for MACE models at every number format and backend."""

__version__ = "0.1.0"
