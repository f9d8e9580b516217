"""A Ray cluster of several nodes on this machine, for trying out and for tests."""
