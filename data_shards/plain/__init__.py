"""Training without an index: tars as webdataset reads them."""
