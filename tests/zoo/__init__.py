"""Sound models of every kind that upstream builds, on structures of every kind: nothing may be red, and nothing may be missing."""
