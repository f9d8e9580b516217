"""A trial's checkpoints: how they are written and read, which of them count, and which stay."""
