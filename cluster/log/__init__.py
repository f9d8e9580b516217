"""A sweep's log: what its records mean, where it lies, and who may write it."""
