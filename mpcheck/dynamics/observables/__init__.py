"""What a trajectory shows: temperature, pressure, drift, momenta, diffusion, structure. Arrays in, numbers out; nothing is judged here."""
