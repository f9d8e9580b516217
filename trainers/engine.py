"""The engine: drives one generator per replica in lockstep, move by move. It knows no method by name.

At each yield it takes the gradients of that replica's losses for the named players only, sums them in a fixed tree over the
replicas and workers, moves the players once, and lets the generators go on. So the weights after a step are the same bytes
for any number of workers, and nothing a step does not name can move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainers import randomness
from trainers.balance import base_rates, turns_of
from trainers.compiling import as_they_are, begin_step, compile_networks
from trainers.gradients import FlatGradient, Gradient, OwnGradient, Total, differentiate, reduce_move
from trainers.ledger import VOTES, Ledger, Skips
from trainers.pool import Pool
from trainers.recomputing import recompute_networks
from trainers.replica import HostedReplica, Read
from trainers.settings import Balance
from trainers.stages import Statistics, Weights
from trainers.system import Move, Player, Shapes, System
from trainers.tree import LocalSum, Tree
from trainers.updates import clamp, hold, put_back

STAGE = "main"
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
ACCURACY_DECAY = 0.95  # of the running accuracy that the controller goes by: about 20 steps
RETREAT_FACTOR = 0.5  # on every learning rate, from the step of a retreat on


@dataclass(frozen=True)
class Options:
    """How to compute, apart from what. `precision`: fp32, tf32 or bf16; `ema`: decay of the generators' average, 0 is off;
    `compiled`: whether torch compiles the networks, and `graphs`: whether it has a GPU play them as CUDA graphs (see
    `trainers.compiling`). `recomputed`: whether passes are computed again on the way back, which changes no bits.

    `on_nonfinite`: stop and rollback raise, skip leaves the update out; who catches the error goes back, or does not.
    """

    seed: int
    precision: str = "fp32"
    layout: str = "contiguous"
    on_nonfinite: str = "stop"
    ema: float = 0.0
    balance: Balance = field(default_factory=Balance)
    compiled: bool = False
    recomputed: bool = False
    graphs: bool = False


class Engine:
    """Trains `system` on what `read` gives. `t` steps are done; `draws` counts the draws per source. `retreats`: the steps from
    which every learning rate is halved once more. It is part of the state, and set by whoever went back to an earlier one."""

    def __init__(
        self, system: System, read: Read, shapes: Shapes, tree: Tree, options: Options, device: torch.device
    ) -> None:
        self.system = system.to(device, memory_format=LAYOUTS[options.layout])  # type: ignore[call-overload]
        assert not any(True for _ in system.buffers()), "a replica's buffers would belong to a worker; none are kept"
        networks = [network for player in system.players for network in player.networks]
        if options.recomputed:
            recompute_networks(networks)
        if options.compiled:
            compile_networks(networks, options.graphs)
        self.read, self.shapes, self.tree, self.options, self.device = read, shapes, tree, options, device
        self.t = 0
        self.draws = dict.fromkeys(system.reads.sources, 0)
        self.moves = {player.name: 0 for player in system.players}
        self.retreats: tuple[int, ...] = ()
        self.skips = Skips.of(system)
        self.ledger = Ledger(system, device)
        self.gradients = {p.name: self._gradient(p) for p in system.players}
        self.scalar_sum = LocalSum(self.ledger.size, device)
        self.optimizers = {p.name: p.optimizer.build(p.parameters) for p in system.players}
        self.base_rates = base_rates(system.players, options.balance)
        self.pools = {replica: self._build_pools() for replica in tree.hosted}
        self.ema = {n: p.detach().clone() for n, p in self._averaged()} if options.ema > 0 else {}
        # Running accuracy of each critic: [before the last step, now]. Decisions read the first, so no step waits.
        self.accuracy = torch.full((2, len(self.critics)), 0.5, device=device)
        self.numbers = {term: torch.zeros((), device=device) for term in system.controlled}
        self.measured: dict[str, Tensor] = {}

    @property
    def critics(self) -> list[Player]:
        """The players that balance acts on."""
        return [player for player in self.system.players if player.critic]

    @property
    def skipped(self) -> dict[str, int]:
        """player -> how many of its updates were left out because they were not finite, up to the step before the last."""
        return self.skips.counts

    def take_skips(self) -> list[str]:
        """What was left out since this was last asked, a line each; the last step's comes with the next one, or `settle`."""
        return self.skips.take()

    def vote(self, number: int) -> None:
        """This worker's wish from the next step on: 0 to go on, i for the i-th of `ledger.VOTES`. It changes no bits."""
        assert 0 <= number <= len(VOTES), "a vote is 0, or the place of its name in VOTES, counted from 1"
        self.ledger.vote = number

    def votes(self) -> tuple[int, int, int]:
        """How many replicas wished for each of `ledger.VOTES` in the step before the last one: the same on every worker.

        Nobody waits for it; zeros before the second step.
        """
        return self.ledger.votes()

    def step(self, report: bool = False) -> None:
        """One pass of the system's step. `report`: also run the terms of weight 0 that cost a pass; it changes no bits."""
        if self.options.graphs:
            begin_step()
        self._set_rates()
        self.ledger.begin(self.t)
        self.system.numbers, self.system.measured = self.numbers, self.measured
        turns, resting = turns_of(self.options.balance, self.system.players, self.accuracy[0], self.t)
        replicas = [
            HostedReplica(
                r, self.system.reads, self.read, self.device, LAYOUTS[self.options.layout], pools, self.draws, turns
            )
            for r, pools in self.pools.items()
        ]
        games = [self.system.step(self.t, replica) for replica in replicas]
        segment = 0
        while self._play(games, replicas, segment, resting, report):
            segment += 1
        self._commit(replicas)

    def enter(self, before: Mapping[str, Weights]) -> None:
        """Begin where the system's stages ended (see `System.enter`), before the first step."""
        with torch.no_grad():
            self.system.enter(before)
        self.ema = {name: p.detach().clone() for name, p in self._averaged()} if self.options.ema > 0 else {}

    def measure(self, samples: Statistics) -> None:
        """What the system measures of its training samples before the first step: by rank 0, the same on every worker."""
        found = self.system.measure(samples) if self.tree.rank == 0 else {}
        for name, shape in sorted(self.system.measures.items()):
            value = (found[name] if self.tree.rank == 0 else torch.zeros(shape)).to(self.device, torch.float32)
            self.tree.sum_across_workers(value)  # of one that holds it and zeros: exact
            self.measured[name] = value

    def settle(self) -> None:
        """Wait for the last step's numbers; raise NonFiniteError if one of them is not finite, unless updates are skipped."""
        self._look(latest=True)

    def count_skips(self) -> None:
        """Wait for the last step's skips, so that a state holds all that came before it."""
        self.skips.note(self.ledger.sent(latest=True))

    def forget(self) -> None:
        """Drop what steps leave behind and no state holds: numbers on their way, half-made sums, gradients."""
        self.ledger = Ledger(self.system, self.device)
        self.skips = Skips.of(self.system)
        self.scalar_sum.clear()
        for gradient in self.gradients.values():
            gradient.clear()
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)

    def _look(self, latest: bool) -> None:
        """Act on the numbers that have arrived: those up to the step before the last, or `latest`."""
        if self.options.on_nonfinite == "skip":
            self.skips.note(self.ledger.sent(latest))
        else:
            self.ledger.check(latest)

    def _play(
        self,
        games: Sequence[Iterator[Move]],
        replicas: Sequence[HostedReplica],
        segment: int,
        resting: frozenset[str],
        report: bool,
    ) -> bool:
        """One segment of every game, and the move it ends in. False where the games are over."""
        players: list[Player] | None = None
        active: dict[str, Gradient] = {}
        over = 0
        for game, replica in zip(games, replicas, strict=True):
            move = self._segment(game, replica.index, segment)
            if move is None:
                over += 1
                continue
            names = [player.name for player in move.players]
            if players is None:
                players = move.players
                active = {name: self.gradients[name] for name in names if name not in resting}
            assert names == [p.name for p in players], f"replicas play different moves: {names} in {replica.index}"
            differentiate(move, active)
            if report:
                self._observe_silent(move, replica.index, segment)
            self.scalar_sum.push(self.scalar_sum.take().copy_(self.ledger.vector(move)))
        assert over in (0, len(games)), "replicas end their steps at different moves"
        if players is None:
            return False
        scalars = self.scalar_sum.result()
        totals = reduce_move(list(active.values()), scalars, self.tree)
        self.ledger.add(scalars)
        for flat, total in zip(active.values(), totals, strict=True):
            self._move(flat, total)
        return True

    def _segment(self, game: Iterator[Move], replica: int, segment: int) -> Move | None:
        """Run a game to its next yield, on its own random stream; modes must be then what they were."""
        randomness.seed_generators(self.device, self.options.seed, STAGE, self.t, replica, segment)
        with self.autocast():
            enabled = torch.is_autocast_enabled(self.device.type)
            move = next(game, None)
            if not torch.is_grad_enabled() or torch.is_autocast_enabled(self.device.type) != enabled:
                raise RuntimeError("a grad mode or autocast is held over a yield: leave the `with` before yielding")
        return move

    def _observe_silent(self, move: Move, replica: int, segment: int) -> None:
        """Terms of weight 0: without graph and on a random stream of their own."""
        for weighed, _ in move.pairs:
            for name, term in weighed.silent.items():
                path = (self.options.seed, STAGE, self.t, replica, segment, "silent", name)
                randomness.seed_generators(self.device, *path)
                with torch.no_grad(), self.watching():
                    weighed.observe(name, term(), silent=True)

    def autocast(self) -> torch.autocast:
        """bf16 where asked for; otherwise a context that does nothing."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.options.precision == "bf16")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The arithmetic of a step for what is only looked at: networks run as they are written."""
        with self.autocast(), as_they_are():
            yield

    def _move(self, flat: Gradient, total: Total) -> None:
        """Step a player's optimizer on the reduced gradient."""
        name = flat.player.name
        for p, gradient in zip(flat.parameters, total.gradients, strict=True):
            p.grad = gradient
        optimizer, masked = self.optimizers[name], None
        held: list[tuple[Tensor, Tensor]] = []
        if self.options.on_nonfinite == "skip":
            masked = (~torch.isfinite(total.norm)).float()
            if flat.player.optimizer.masks:
                # The protocol of torch's GradScaler: a fused optimizer masks its own update on the device.
                optimizer.found_inf = masked  # type: ignore[attr-defined]
            else:
                held = hold(optimizer, flat.parameters)
        self.ledger.moved(name, total.norm, masked)
        optimizer.step()
        if masked is not None:
            put_back(held, masked)
        if flat.player.clip is not None:
            clamp(flat.parameters, flat.player.clip)
        self.moves[name] += 1

    def _set_rates(self) -> None:
        retreated = RETREAT_FACTOR ** sum(step <= self.t for step in self.retreats)
        for player in self.system.players:
            rate = self.base_rates[player.name] * player.rate(self.t) * retreated
            for group in self.optimizers[player.name].param_groups:
                group["lr"] = rate

    def _commit(self, replicas: Sequence[HostedReplica]) -> None:
        """End the step: advance the draws, the averages and the counters."""
        drawn = replicas[0].drawn
        assert all(replica.drawn == drawn for replica in replicas), "replicas drew different numbers of batches"
        for source, count in drawn.items():
            self.draws[source] += count
        if self.ema:
            with torch.no_grad():
                current = [p.detach() for _, p in self._averaged()]
                torch._foreach_lerp_(list(self.ema.values()), current, 1.0 - self.options.ema)
        self.numbers = {term: (k + self.ledger.drift(term)).clamp(0.0, 1.0) for term, k in self.numbers.items()}
        if self.options.balance.target_accuracy is not None and self.critics:
            seen = self.ledger.accuracy(self.critics)
            running = torch.lerp(seen, self.accuracy[1], ACCURACY_DECAY)
            self.accuracy = torch.stack([self.accuracy[1], torch.where(seen.isnan(), self.accuracy[1], running)])
        self.ledger.end()
        self._look(latest=False)
        self.t += 1

    def _gradient(self, player: Player) -> Gradient:
        """Where a player's gradients come together."""
        return OwnGradient(player) if self.tree.replicas == 1 else FlatGradient(player, self.ledger.size, self.device)

    def _averaged(self) -> list[tuple[str, Tensor]]:
        """The generators' parameters by name."""
        mine = {id(p) for player in self.system.players if not player.critic for p in player.parameters}
        return [(name, p) for name, p in self.system.named_parameters() if id(p) in mine]

    def _build_pools(self) -> dict[str, Pool]:
        """A replica's pools: the system's sizes are over all replicas."""
        share = {d: -(-size // self.tree.replicas) for d, size in self.system.pools.items()}
        return {d: Pool(capacity, self.shapes[d], self.device) for d, capacity in share.items()}
