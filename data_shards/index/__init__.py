"""A manifest for tar shards that others wrote."""
