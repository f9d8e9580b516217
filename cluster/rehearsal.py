"""A system of the user's own, played for one step before anything is trained, and every rule that it breaks in one line.

It is played on tensors that have a shape and no content, so that networks of any size cost a moment. What only numbers tell, such
as the same bits on two workers, `i2i-cluster systems check` looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensorMode  # torch.compile's own; verified with torch 2.13

from cluster.building import build_system
from cluster.kinds import kind_of
from cluster.run import Run
from cluster.weigh import play_step
from trainers.errors import SettingError
from trainers.gradients import OwnGradient, differentiate
from trainers.settings import OWN
from trainers.system import Move, Player, Shapes, System
from trainers.systems.own import BROKEN, line_of

SHOWN = 2  # pictures that `show` is given


class BrokenRule(ValueError):
    """What a system does wrong, and where: one line."""


def rehearse(run: Run, shapes: Shapes) -> None:
    """Raise BrokenRule where the run's system, its user's own, cannot be built, or its first step breaks a rule of a move."""
    file = OWN.fullmatch(run.system)
    assert file is not None
    with FakeTensorMode(allow_non_fake_inputs=True):
        with _told(file["file"], "build"):
            system = build_system(run, shapes)
        _check_players(file["file"], system)
        with _told(file["file"], "step"):
            seen = _play(run, shapes, system)
        wanted = {term.name for term in kind_of(run).in_force(system.hyper)}
        if unseen := sorted(wanted - seen):
            raise BrokenRule(
                f"{file['file']}: step weighs no {', '.join(unseen)}, declared in terms; give Term a `when`"
            )
        with _told(file["file"], "show"):
            images = {d: torch.zeros(SHOWN, *shape) for d, shape in shapes.items() if d in system.reads.domains}
            with torch.no_grad():
                shown = system.show(images)
        if others := sorted(set(shown) - set(system.shows)):
            raise BrokenRule(f"{file['file']}: show gives {', '.join(others)}, not declared in shows")


@contextmanager
def _told(file: str, where: str) -> Iterator[None]:
    """What the user's code raises, as a broken rule that names the line."""
    try:
        yield
    except (BrokenRule, SettingError):
        raise
    except KeyError as error:
        name = error.args[0] if error.args else ""
        undeclared = (
            f"{name!r} is not known: is it a term in force, declared in terms?" if where == "step" else repr(name)
        )
        raise BrokenRule(f"{file}{line_of(error, file)}: in {where}: {undeclared}") from error
    except BROKEN as error:
        said = " ".join(str(error).split())[:300]
        raise BrokenRule(f"{file}{line_of(error, file)}: in {where}: {type(error).__name__}: {said}") from error


def _check_players(file: str, system: System) -> None:
    """Players are disjoint, have names of their own, and own every parameter that is not frozen."""
    lacking = [name for name in ("hyper", "players", "pools", "translators") if not hasattr(system, name)]
    if lacking:
        raise BrokenRule(f"{file}: __init__ must set {', '.join(f'self.{name}' for name in lacking)}")
    names = [player.name for player in system.players]
    if len(set(names)) < len(names) or not names:
        raise BrokenRule(f"{file}: players need names of their own, not {', '.join(names) or 'none'}")
    owner: dict[int, str] = {}
    for player in system.players:
        for parameter in player.parameters:
            if (other := owner.setdefault(id(parameter), player.name)) != player.name:
                raise BrokenRule(
                    f"{file}: players {other} and {player.name} share a parameter; a parameter has one player"
                )
    frozen = {id(p) for network in system.frozen.values() for p in network.parameters()}
    alone = [n for n, p in system.named_parameters() if id(p) not in owner and id(p) not in frozen and p.requires_grad]
    if alone:
        more = f" and {len(alone) - 1} others" if len(alone) > 1 else ""
        raise BrokenRule(
            f"{file}: no player owns {alone[0]}{more}; a network that nobody moves belongs into self.frozen"
        )


def _play(run: Run, shapes: Shapes, system: System) -> set[str]:
    """The terms that a first step observes."""
    seen: set[str] = set()
    moved: dict[str, Player] = {}
    for number, move in enumerate(play_step(run, shapes, system), 1):
        if not isinstance(move, Move):
            raise BrokenRule(
                f"yield {number} of step gives {type(move).__name__}: a move is Move((self.weigh(...), player))"
            )
        if not torch.is_grad_enabled():
            raise BrokenRule(f"yield {number} of step lies inside no_grad: leave the `with` before yielding")
        moved |= {player.name: player for player in move.players}
        for weighed, _ in move.pairs:
            seen |= {*weighed.raw, *weighed.silent}
        differentiate(move, {player.name: OwnGradient(player) for player in move.players})
    if still := [player.name for player in system.players if player.name not in moved]:
        raise BrokenRule(f"no move of step names {', '.join(still)}: a player that never moves is no player")
    return seen
