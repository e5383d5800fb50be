"""Sessions: what each is, how it runs, what it writes."""
