"""What a sweep found, from its log alone."""
