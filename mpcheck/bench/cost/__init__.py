"""What a call costs, counted: fingerprints, their comparison, and the model of what they should be."""
