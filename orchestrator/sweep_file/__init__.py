"""The file that a user writes: its keys, how they are read, refused, described and kept."""
