"""Who computes a block: the protocol, the built-in backends, conversion and layouts between them."""
