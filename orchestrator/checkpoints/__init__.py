"""`i2i-cluster checkpoints`: what is kept of a trial's training."""
