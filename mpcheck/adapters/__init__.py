"""The only importers of mace, e3nn, cuEquivariance and OpenEquivariance: load, convert, find blocks, layouts."""
