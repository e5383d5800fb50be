"""One piece of work: prepared, called and timed once, in a process held still."""
