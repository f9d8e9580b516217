"""A sweep as Kubernetes' manifests."""
