"""Sums over replicas in one fixed binary tree: the same bits for any power-of-two number of workers.

Rank r hosts the contiguous replicas r*R/W to (r+1)*R/W - 1, so a worker's own sum is a subtree, and exchanges with rank^1,
rank^2, ... continue the same tree across workers: x + y is commutative to the bit. A small buffer travels whole each time; of
a large one every rank adds up its own share, by the same tree, and the shares are then handed round: fewer bytes travel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from trainers.errors import PeerLost

LARGE = 1 << 21  # numbers from which shares pay: below that an exchange costs more than what it carries


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
    _received: dict[tuple[torch.dtype, torch.device], Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # kept between sums: fresh memory costs as much as the exchange

    def __post_init__(self) -> None:
        assert is_power_of_two(self.replicas) and is_power_of_two(self.workers) and self.workers <= self.replicas

    @property
    def hosted(self) -> range:
        """The replicas of this rank."""
        each = self.replicas // self.workers
        return range(self.rank * each, (self.rank + 1) * each)

    def sum_across_workers(self, buffer: Tensor) -> None:
        """Add up a contiguous buffer of any shape over all workers, in place, on every one of them.

        Raises PeerLost where one of them is gone or stays silent for the group's timeout.
        """
        if self.workers == 1:
            return
        what, flat = f"a sum of {buffer.numel():,} numbers", buffer.view(-1)
        if not self.exact:
            with self._peers(what):
                dist.all_reduce(flat)
        elif self.workers > 2 and flat.numel() >= LARGE:
            self._sum_shares(flat, what)
        else:
            self._sum_whole(flat, what)

    def _sum_whole(self, buffer: Tensor, what: str) -> None:
        """Recursive doubling: every rank adds up everything."""
        received = self._room(buffer, buffer.numel())
        for peer in self._partners():
            self._exchange(peer, buffer, received, what)
            buffer.add_(received)

    def _sum_shares(self, buffer: Tensor, what: str) -> None:
        """Recursive halving, then doubling: at each level the partners share what they both hold the sums of."""
        held = buffer
        received = self._room(buffer, buffer.numel() - buffer.numel() // 2)
        levels: list[tuple[int, Tensor, Tensor]] = []
        for peer in self._partners():
            low, high = held.tensor_split(2)
            kept, given = (low, high) if self.rank < peer else (high, low)
            self._exchange(peer, given, received[: kept.numel()], what)
            held = kept.add_(received[: kept.numel()])
            levels.append((peer, kept, given))
        for peer, kept, given in reversed(levels):
            self._exchange(peer, kept, given, what)

    def _partners(self) -> list[int]:
        """The ranks to exchange with, level by level of the tree."""
        return [self.rank ^ (1 << level) for level in range(self.workers.bit_length() - 1)]

    def _room(self, like: Tensor, size: int) -> Tensor:
        """A buffer of `size` numbers to receive into; what the last sum left is in it."""
        known = self._received.get((like.dtype, like.device))
        if known is None or known.numel() < size:
            known = self._received[like.dtype, like.device] = torch.empty(size, dtype=like.dtype, device=like.device)
        return known[:size]

    def _exchange(self, peer: int, sent: Tensor, received: Tensor, what: str) -> None:
        """Send to a partner and receive from it."""
        with self._peers(what, peer):
            exchange = [dist.P2POp(dist.isend, sent, peer), dist.P2POp(dist.irecv, received, peer)]
            for work in dist.batch_isend_irecv(exchange):
                work.wait()

    @contextmanager
    def _peers(self, what: str, peer: int | None = None) -> Iterator[None]:
        """Name what was under way, and with whom, when the others could not be reached."""
        try:
            yield
        except RuntimeError as error:
            whom = "" if peer is None else f" (rank {peer})"
            raise PeerLost(f"rank {self.rank} lost a peer{whom} in {what}: {_first_clause(error)}") from error

    def gather(self, payload: bytes) -> list[bytes] | None:
        """The payloads of all ranks, in order, on rank 0; None on the others. For checkpoints, not for steps.

        Raises PeerLost.
        """
        if self.workers == 1:
            return [payload]
        with self._peers(f"gathering {len(payload):,} bytes"):
            return self._gather(payload)

    def _gather(self, payload: bytes) -> list[bytes] | None:
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        size = torch.tensor([len(payload)], dtype=torch.int64, device=device)
        sizes = [torch.zeros_like(size) for _ in range(self.workers)]
        dist.all_gather(sizes, size)
        longest = int(max(s.item() for s in sizes))
        mine = torch.zeros(longest, dtype=torch.uint8, device=device)
        mine[: len(payload)] = torch.frombuffer(bytearray(payload), dtype=torch.uint8).to(device)
        parts = [torch.zeros_like(mine) for _ in range(self.workers)] if self.rank == 0 else None
        dist.gather(mine, parts, 0)
        if parts is None:
            return None
        return [part[: int(s.item())].cpu().numpy().tobytes() for part, s in zip(parts, sizes, strict=True)]

    def agree(self, value: float) -> float:
        """Rank 0's value on every rank. Raises PeerLost."""
        if self.workers == 1:
            return value
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        with self._peers("agreeing on a number"):
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

    def clear(self) -> None:
        """Give up a sum that was begun."""
        self._free += [buffer for _, buffer in self._stack]
        self._stack.clear()


def _first_clause(error: RuntimeError) -> str:
    """What the transport says, without the place in its source and its advice."""
    lines = str(error).splitlines() or [type(error).__name__]
    return re.sub(r"^\[[^]]*\] ", "", lines[0]).partition(". ")[0]
