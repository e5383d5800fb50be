"""Statistics that decide whether two ensembles differ, and what would be needed to tell. Arrays in, decisions out."""
