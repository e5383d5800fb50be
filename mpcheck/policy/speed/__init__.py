"""How fast a policy is, and in which other ways it can be run."""
