"""What is known of a model by its parts: architecture, blocks, closed forms, couplings."""
