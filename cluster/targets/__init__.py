"""Where a sweep's driver can run: here, as a job of a Ray cluster, or on Kubernetes."""
