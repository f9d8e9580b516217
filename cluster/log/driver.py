"""Who drives a sweep: a lock on a file where the storage is a folder, a lease of numbered claims where it is remote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.layout import SweepPaths
from cluster.log.lease import is_leased, leased
from cluster.log.lock import is_locked, locked
from data_shards.store import FolderStore, Store


@contextmanager
def driving(store: Store, paths: SweepPaths) -> Iterator[int]:
    """Hold the sweep for this process; gives the number of its claim in a remote store, 0 in a folder.

    Raises SweepBusy, naming the other process, where it is held.
    """
    if store.remote:
        with leased(store, paths.claims) as number:
            yield number
    else:
        assert isinstance(store, FolderStore)
        with locked(store.path(paths.lock)):
            yield 0


def is_driven(store: Store, paths: SweepPaths) -> bool:
    """Whether a living process holds the sweep; of a driver on another machine it is a good guess (see `is_leased`)."""
    if store.remote:
        return is_leased(store, paths.claims)
    assert isinstance(store, FolderStore)
    return is_locked(store.path(paths.lock))
