"""The toy session's suite is run by its tests alone, which put it where a session belongs."""

collect_ignore = ["toys"]
