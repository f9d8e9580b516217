"""Making data sets: pictures in, shards and manifest out."""
