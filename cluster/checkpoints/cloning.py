"""A trial goes on from another trial's checkpoint: networks, optimizers, image pools and random streams, byte for byte.

The copy is committed like any checkpoint, manifest last, by the attempt that will go on from it. Done twice it is done once.
"""

from __future__ import annotations

from cluster.checkpoints.folder import Checkpoints
from cluster.checkpoints.retention import Marker, Place
from cluster.layout import SweepPaths
from cluster.run import Keep
from data_shards.store import Store
from trainers.checkpoint import MANIFEST, DamagedCheckpoint


class CannotClone(ValueError):
    """The donor has no good checkpoint of that step."""


def clone(store: Store, paths: SweepPaths, donor: int, trial: int, step: int, attempt: int) -> None:
    """Give `trial` the checkpoint that `donor` has at `step`, for its start number `attempt`; what it had itself goes.

    Neither trial may be running. Raises CannotClone, and what the store raises.
    """
    source = Checkpoints(store, paths.checkpoints(donor), 0, Keep())
    target = Checkpoints(store, paths.checkpoints(trial), attempt, Keep())
    place, there = Place(step, attempt), target.look()
    if MANIFEST not in there.files.get(place, {}):
        listing = source.look()
        found = max((one for one in listing.valid if one.step == step), default=None)
        if found is None:
            raise CannotClone(f"cannot go on from trial {donor}, which has no checkpoint of step {step}")
        try:
            source.read(found, listing)  # verified, before anything depends on it
        except DamagedCheckpoint as damaged:
            raise CannotClone(f"cannot go on from trial {donor}: {damaged}") from damaged
        for name in sorted(listing.files[found], key=lambda name: name == MANIFEST):
            store.write(f"{target.at(place)}/{name}", store.read(f"{source.at(found)}/{name}"))
    store.create(f"{target.folder}/{Marker(attempt, step).name}", b"")
    there = target.look()
    target.delete(there, {one for one in there.files if one.attempt < attempt})
