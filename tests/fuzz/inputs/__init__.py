"""Mutated input files: every command and reader takes them, or refuses them in a line, soon and without much memory."""
