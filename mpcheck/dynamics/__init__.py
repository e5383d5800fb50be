"""Molecular dynamics of a model in a policy: protocols, what is observed, and statistics that decide."""
