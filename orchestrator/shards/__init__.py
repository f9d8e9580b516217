"""`i2i-cluster shards`: making data sets, and looking after them."""
