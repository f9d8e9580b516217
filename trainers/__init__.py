"""How to train, in pure torch: the engine, players, replicas, terms, checkpoints, evaluation, networks and `systems/`.

May be imported by `cluster/` and, for checking a plan, by `orchestrator/`. Imports neither of them, nor `data_shards/`:
the engine takes any function that reads a batch.
"""
