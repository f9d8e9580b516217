"""A replica's batch taken in several smaller ones, one after another: less memory at a time, the same samples in a step.

It is another training all the same: norms, batch statistics and image histories are then each smaller batch's own, as if it were
a replica. So an engine of more replicas does it, and nothing in it knows: these two functions deal it what fewer replicas had.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from trainers.pool import Pool
from trainers.replica import Read


def divided(read: Read, parts: int) -> Read:
    """What `parts` times as many replicas read: replica r has the part r % parts of the samples of replica r // parts.

    They are to read in order, as an engine's do: a batch is read for the first of them, and kept until the last one has its part.
    """
    kept: dict[tuple[str, int, int], Mapping[str, np.ndarray]] = {}

    def read_part(source: str, draw: int, replica: int) -> Mapping[str, np.ndarray]:
        whole, part = divmod(replica, parts)
        key = (source, draw, whole)
        batch = kept[key] if key in kept else read(*key)
        if part < parts - 1:
            kept[key] = batch
        else:
            kept.pop(key, None)
        return {name: values[len(values) * part // parts :][: len(values) // parts] for name, values in batch.items()}

    return read_part if parts > 1 else read


def redealt(
    state: Mapping[str, Tensor], before: int, now: int, pools: Mapping[int, Mapping[str, Pool]]
) -> dict[str, Tensor]:
    """A training state whose replicas were taken in `before` parts, for `now` of them: image histories are dealt anew, and nothing
    else differs. pools: replica -> domain -> a pool of the size that it has now; those that this worker hosts.
    """
    dealt = {name: value for name, value in state.items() if not name.startswith("pool.")}
    for replica, of_replica in pools.items():
        whole, part = divmod(replica, now)
        for domain, pool in of_replica.items():
            images = _held(state, domain, range(whole * before, (whole + 1) * before))[part::now]
            fitting = images[: len(pool.images)]
            room = torch.zeros((len(pool.images) - len(fitting), *pool.images.shape[1:]))
            dealt[f"pool.{replica}.{domain}.images"] = torch.cat([fitting, room])
            dealt[f"pool.{replica}.{domain}.count"] = torch.tensor(len(fitting))
    return dealt


def _held(state: Mapping[str, Tensor], domain: str, replicas: range) -> Tensor:
    """The images that these replicas held in a domain, taken from them in turns: `[N,C,H,W]`."""
    held = [state[f"pool.{r}.{domain}.images"][: int(state[f"pool.{r}.{domain}.count"])] for r in replicas]
    turns = [images[i] for i in range(max(len(images) for images in held)) for images in held if i < len(images)]
    return torch.stack(turns) if turns else state[f"pool.{replicas[0]}.{domain}.images"][:0]
