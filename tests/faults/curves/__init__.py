"""Families of faults with a magnitude, planted in upstream from far below rounding noise to far above it, and what sees them."""
