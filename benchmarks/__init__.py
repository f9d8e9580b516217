"""Measurements against the budgets: ratios of two things timed in one run, never a timed test. Nothing imports this."""
