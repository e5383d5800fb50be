"""The kill matrix: every planted fault against every kind of check, and whom each blamed."""
