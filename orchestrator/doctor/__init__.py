"""Whether a machine, a storage and a cluster can do what a sweep needs, and how to mend what cannot."""
