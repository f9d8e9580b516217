"""The node's cache of shards from a remote store."""
