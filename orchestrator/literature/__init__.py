"""Comparisons that papers print, as sweeps: what was published beside what came out."""
