"""Search spaces and searchers: which values the next trial gets."""
