"""Networks that are trained to judge others."""
