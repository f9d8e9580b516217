"""Who goes on, who waits, who ends: one file for each way to decide it."""
