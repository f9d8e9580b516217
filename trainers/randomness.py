"""Randomness as a pure function of where we are: before every segment of a step the generators are seeded anew.

No generator state is ever stored, and what a replica draws does not depend on which worker hosts it.
"""

from __future__ import annotations

import hashlib

import torch


def key(*parts: int | str) -> int:
    """A 63-bit seed from a path such as (seed, "main", step, replica, segment)."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def seed_generators(device: torch.device, *parts: int | str) -> None:
    """Seed torch's default generators of the CPU and of `device`; about 3 us on a CPU."""
    value = key(*parts)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(value)
