"""Sums over replicas in one fixed binary tree: the same bits for any power-of-two number of workers.

Rank r hosts the contiguous replicas r*R/W to (r+1)*R/W - 1, so a worker's own sum is a subtree, and recursive doubling
(exchange with rank^1, rank^2, ...) continues the same tree across workers: x + y is commutative to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor


def is_power_of_two(n: int) -> bool:
    """Whether n is 1, 2, 4, 8 ..."""
    return n > 0 and n & (n - 1) == 0


@dataclass(frozen=True)
class Tree:
    """`replicas` dealt to `workers`, seen from `rank`. Both are powers of two and `workers` divides `replicas`.

    `exact: False` sums over the workers by an ordinary all-reduce, whose order is the backend's own.
    """

    replicas: int
    rank: int = 0
    workers: int = 1
    exact: bool = True

    def __post_init__(self) -> None:
        assert is_power_of_two(self.replicas) and is_power_of_two(self.workers) and self.workers <= self.replicas

    @property
    def hosted(self) -> range:
        """The replicas of this rank."""
        each = self.replicas // self.workers
        return range(self.rank * each, (self.rank + 1) * each)

    def sum_across_workers(self, buffer: Tensor) -> None:
        """Add up a contiguous buffer over all workers, in place, on every one of them."""
        if self.workers == 1:
            return
        if not self.exact:
            dist.all_reduce(buffer)
            return
        received = torch.empty_like(buffer)
        distance = 1
        while distance < self.workers:
            peer = self.rank ^ distance
            exchange = [dist.P2POp(dist.isend, buffer, peer), dist.P2POp(dist.irecv, received, peer)]
            for work in dist.batch_isend_irecv(exchange):
                work.wait()
            buffer.add_(received)
            distance *= 2

    def gather(self, payload: bytes) -> list[bytes] | None:
        """The payloads of all ranks, in order, on rank 0; None on the others. For checkpoints, not for steps."""
        if self.workers == 1:
            return [payload]
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        size = torch.tensor([len(payload)], dtype=torch.int64, device=device)
        sizes = [torch.zeros_like(size) for _ in range(self.workers)]
        dist.all_gather(sizes, size)
        longest = int(max(s.item() for s in sizes))
        mine = torch.zeros(longest, dtype=torch.uint8, device=device)
        mine[: len(payload)] = torch.frombuffer(bytearray(payload), dtype=torch.uint8).to(device)
        parts = [torch.zeros_like(mine) for _ in range(self.workers)]
        dist.all_gather(parts, mine)
        if self.rank != 0:
            return None
        return [part[: int(s.item())].cpu().numpy().tobytes() for part, s in zip(parts, sizes, strict=True)]

    def agree(self, value: float) -> float:
        """Rank 0's value on every rank."""
        if self.workers == 1:
            return value
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared.item())


@dataclass
class LocalSum:
    """Adds the hosted replicas' buffers pairwise, like carrying in a binary counter: at most log2(K) + 1 buffers live."""

    size: int
    device: torch.device
    _free: list[Tensor] = field(default_factory=list)
    _stack: list[tuple[int, Tensor]] = field(default_factory=list)

    def take(self) -> Tensor:
        """A buffer for the next replica; what it holds is left over from another sum."""
        return self._free.pop() if self._free else torch.zeros(self.size, device=self.device)

    def push(self, buffer: Tensor) -> None:
        """Hand in a replica's filled buffer; equal subtrees are added at once."""
        level = 0
        while self._stack and self._stack[-1][0] == level:
            _, earlier = self._stack.pop()
            self._free.append(buffer)
            buffer = earlier.add_(buffer)
            level += 1
        self._stack.append((level, buffer))

    def result(self) -> Tensor:
        """The sum over the hosted replicas. The buffer is valid until the next `take`."""
        assert len(self._stack) == 1, "a power of two of replicas was handed in"
        _, total = self._stack.pop()
        self._free.append(total)
        return total
