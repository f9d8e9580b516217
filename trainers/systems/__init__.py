"""One paper, one file: each system's networks, terms, players and its `step`. `catalog.py` names them all."""
