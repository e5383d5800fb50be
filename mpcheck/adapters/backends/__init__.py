"""Who computes a block: the protocol, the backends of the house, conversion and layouts between them."""
