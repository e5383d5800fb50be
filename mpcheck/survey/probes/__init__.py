"""What parts run that no session does: modules with a ``main(words)``."""
