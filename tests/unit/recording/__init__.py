"""Recording what a script gives a model."""
