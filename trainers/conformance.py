"""The promises that every system keeps, each as a check: of ours by the tests, of a user's own by `i2i-cluster systems check`.

A check plays a few steps of small engines and raises BrokenPromise. What takes more than one process, the same bits on any number
of workers, is checked where there are processes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from safetensors.torch import load, save
from torch import Tensor

from trainers.compiling import as_they_are
from trainers.engine import Engine
from trainers.gradients import Gradient, Total
from trainers.recomputing import recompute_networks
from trainers.state import digest, load_state, named_state
from trainers.system import Move

STEPS = 6
ROUND = 3  # steps after which a system has made each of its moves
SHOWN = 2  # pictures that `show` is given
Make = Callable[
    [Mapping[str, float]], Engine
]  # weights that differ from the usual -> an engine at step 0, of one worker


class BrokenPromise(AssertionError):
    """What a system does that it must not, in one line."""


@dataclass(frozen=True)
class Promise:
    """One of them: its name, what it says, and the check, which raises BrokenPromise."""

    name: str
    says: str
    check: Callable[[Make], None]


def check_terms(make: Make) -> None:
    """Every declared term in force is observed, with a number."""
    of = make({})
    in_force = {term.name for term in type(of.system).in_force(of.system.hyper)}
    if in_force != set(of.system.weights):
        raise BrokenPromise(f"in force are {_list(in_force)}; weights were given for {_list(of.system.weights)}")
    if unseen := in_force - observed(of):
        raise BrokenPromise(f"no number was seen of {_list(unseen)}, which the system declares")


def check_players(make: Make) -> None:
    """Players are disjoint, own every parameter that is not frozen, and each parameter moves."""
    of = make({})
    before = parameters(of)
    played(of, ROUND)
    frozen = {id(p) for network in of.system.frozen.values() for p in network.parameters()}
    owned = [id(p) for player in of.system.players for p in player.parameters]
    trained = {id(p): name for name, p in of.system.named_parameters() if id(p) not in frozen}
    if shared := [trained[p] for p in trained if owned.count(p) > 1]:
        raise BrokenPromise(f"two players own {_list(shared)}")
    if unowned := [name for p, name in trained.items() if p not in owned]:
        raise BrokenPromise(f"no player owns {_list(unowned)}; what nobody moves belongs into self.frozen")
    still = [name for name, p in of.system.named_parameters() if torch.equal(p, before[name]) and id(p) in trained]
    # A shift of all logits changes no Wasserstein loss, and no hinge loss as long as all of them lie within the margin.
    blind = getattr(of.system.hyper, "gan", "") in ("wgan", "hinge") and all(name.endswith("bias") for name in still)
    if still and not blind:
        raise BrokenPromise(f"after {ROUND} steps these are as they were: {_list(still)}")


def check_moves(make: Make) -> None:
    """A move changes the parameters of its players, and of nobody else."""
    of = make({})
    players = {id(p): player.name for player in of.system.players for p in player.parameters}
    apply, moved = of._move, set()

    def watched(flat: Gradient, total: Total) -> None:
        before = parameters(of)
        apply(flat, total)
        changed = {
            players.get(id(p), name) for name, p in of.system.named_parameters() if not torch.equal(p, before[name])
        }
        if others := changed - {flat.player.name}:
            raise BrokenPromise(f"a move of {flat.player.name} changed {_list(others)}")
        moved.update(changed)

    of._move = watched  # type: ignore[method-assign]
    played(of, ROUND)
    if still := set(players.values()) - moved:
        raise BrokenPromise(f"no move changed {_list(still)}")


def check_saving(make: Make) -> None:
    """A training that was saved and loaded goes on with the same bits."""
    first, second = played(make({}), STEPS // 2), make({})
    load_state(second, load(save(dict(_state(first)))))
    if state_digest(second) != state_digest(first):
        raise BrokenPromise(
            "what was loaded is not what was saved: something of the state is no parameter of a network"
        )
    if state_digest(played(second, STEPS - STEPS // 2)) != _undisturbed(make):
        raise BrokenPromise(
            "a training that was saved and loaded goes on with other bits: the system remembers more than it saves"
        )


def check_repeating(make: Make) -> None:
    """The same training gives the same bits."""
    if state_digest(played(make({}))) != _undisturbed(make):
        raise BrokenPromise(
            "two trainings from one seed differ: draw random numbers in step, from torch's default generator"
        )


def check_reporting(make: Make) -> None:
    """That it is watched changes no bits."""
    if state_digest(played(make({}), report=True)) != _undisturbed(make):
        raise BrokenPromise("reporting changes the training: a term leaves something behind that the next step sees")


def check_silence(make: Make) -> None:
    """A term of weight 0 is shown, and acts on nothing."""
    for term in make({}).system.weights:
        watched, unwatched = make({term: 0.0}), played(make({term: 0.0}), ROUND)
        if term not in observed(watched):
            raise BrokenPromise(f"{term} is not shown where its weight is 0")
        if state_digest(watched) != state_digest(unwatched):
            raise BrokenPromise(f"{term} acts on the training where its weight is 0")


def check_shows(make: Make) -> None:
    """What is shown is what is declared, in the sizes of the domains."""
    of = make({})
    images = {domain: torch.zeros(SHOWN, *of.shapes[domain]) for domain in of.system.reads.domains}
    with torch.no_grad(), of.watching():
        shown = of.system.show({domain: picture.to(of.device) for domain, picture in images.items()})
    if others := set(shown) - set(of.system.shows):
        raise BrokenPromise(f"show gives {_list(others)}, which `shows` does not declare")
    for name, picture in shown.items():
        wanted = (SHOWN, *of.shapes[name.rpartition("_")[2]])
        if tuple(picture.shape) != wanted:
            raise BrokenPromise(f"show gives {name} as {list(picture.shape)}, not {list(wanted)}")
    if others := set(of.system.translators) - set(of.system.reads.domains):
        raise BrokenPromise(f"it translates to {_list(others)}, which it does not read")


def check_recomputing(make: Make) -> None:
    """What networks make is a function of what goes in and of torch's random numbers."""
    of, again = make({}), make({})
    recompute_networks(network for player in again.system.players for network in player.networks)
    with as_they_are():
        if state_digest(played(of, ROUND)) != state_digest(played(again, ROUND)):
            raise BrokenPromise(
                "a training whose passes are computed again comes to other bits: does a network count its calls?"
            )


def check_precision(make: Make) -> None:
    """Where networks compute in bf16, losses are still added up in fp32: bf16 has 8 bits, and a mean of many numbers needs more."""
    of = make({})
    of.options = replace(of.options, precision="bf16")
    told, coarse = of.ledger.vector, dict[str, str]()

    def watched(move: Move) -> Tensor:
        for weighed, _ in move.pairs:
            coarse.update({n: str(seen.dtype) for n, seen in weighed.raw.items() if seen.dtype != torch.float32})
        return told(move)

    of.ledger.vector = watched  # type: ignore[method-assign]
    with as_they_are():  # compiled for bf16 they would say the same, half a minute later
        played(of, ROUND, report=True)
    if coarse:
        kind = next(iter(coarse.values()))
        raise BrokenPromise(
            f"under precision bf16 {_list(set(coarse))} is made in {kind}: take x.float() where a loss takes x"
        )


PROMISES = (
    Promise("terms", "every declared loss is seen", check_terms),
    Promise("players", "each parameter has one player, and moves", check_players),
    Promise("moves", "a move changes its players alone", check_moves),
    Promise("repeating", "the same training gives the same bits", check_repeating),
    Promise("saving", "saved, loaded and gone on: the same bits", check_saving),
    Promise("reporting", "watching changes no bits", check_reporting),
    Promise("silence", "a loss of weight 0 is shown and acts on nothing", check_silence),
    Promise("shows", "what is shown is what is declared", check_shows),
    Promise("recomputing", "passes computed again on the way back: the same bits", check_recomputing),
    Promise("precision", "losses are fp32 where networks are bf16", check_precision),
)


def played(of: Engine, steps: int = STEPS, report: bool = False) -> Engine:
    """The engine after some steps."""
    for _ in range(steps):
        of.step(report=report)
    return of


def observed(of: Engine, steps: int = ROUND) -> set[str]:
    """The terms that were seen, with a finite value, in some of the next steps."""
    seen: set[str] = set()
    for _ in range(steps):
        of.step(report=True)
        means = of.ledger.means()
        seen |= {term for term in of.system.weights if math.isfinite(means[term])}
    return seen


def parameters(of: Engine) -> dict[str, Tensor]:
    """name -> a copy of each parameter."""
    return {name: p.detach().clone() for name, p in of.system.named_parameters()}


@functools.cache
def _undisturbed(make: Make) -> str:
    """The digest of a training into which nobody looks: several promises hold others against it."""
    return state_digest(played(make({})))


def state_digest(of: Engine) -> str:
    """The digest of the whole training state."""
    return digest(_state(of))


def _state(of: Engine) -> Mapping[str, Tensor]:
    state = named_state(of)
    assert state is not None, "of one worker"
    return state


def _list(names: object) -> str:
    found = sorted(names) if isinstance(names, set) else list(names)  # type: ignore[call-overload]
    return ", ".join(found[:5]) + (f" and {len(found) - 5} others" if len(found) > 5 else "")
