"""Where a sweep runs: the only folder that knows Ray. A run, its worker, the sweep's durable log, and the launch.

Imported by `orchestrator/`. May import `trainers/` and `data_shards/`, never `orchestrator/`.
"""
