"""A whole model in uses that its blocks cannot show: training, frozen and unused weights, outputs by flag, and upstream's doors to it."""
