"""What a running sweep tells a Prometheus: numbers folded from its log, and the endpoint that serves them."""
