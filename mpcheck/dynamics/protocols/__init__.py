"""How molecular dynamics is run: what a protocol says, where it starts, the integrators, and a run that can be stopped and gone on with."""
