"""Which aten operation of a block rounds more than its format explains."""
