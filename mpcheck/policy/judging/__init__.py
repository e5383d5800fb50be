"""What a model under a policy errs by, end to end, against a float64 reference from a process of its own."""
