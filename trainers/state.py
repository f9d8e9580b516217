"""Everything that must survive, named once: `named_state` lists it, saving, loading and the digest derive from it.

What is not here is a pure function of what is: random streams, learning rates, the order of samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from safetensors.torch import load, save
from torch import Tensor

from trainers.engine import Engine


def named_state(engine: Engine) -> dict[str, Tensor] | None:
    """The whole training state on rank 0, whatever the number of workers; None on the other ranks.

    Every rank must call it: the image pools lie with the workers that host them. A snapshot: copies on the CPU, which
    training does not touch as it goes on.
    """
    engine.count_skips()
    pools = {
        f"pool.{replica}.{domain}.{field}": tensor
        for replica, of_replica in engine.pools.items()
        for domain, pool in of_replica.items()
        for field, tensor in pool.state().items()
    }
    if engine.tree.workers > 1:
        parts = engine.tree.gather(save({name: t.cpu().contiguous() for name, t in pools.items()}))
        if parts is None:
            return None
        snapshot = {name: tensor for part in parts for name, tensor in load(part).items()}
    else:
        snapshot = {name: _snapshot(tensor) for name, tensor in pools.items()}
    snapshot |= {name: _snapshot(tensor) for name, tensor in _replicated(engine).items()}
    return dict(sorted(snapshot.items()))


def load_state(engine: Engine, state: Mapping[str, Tensor]) -> None:
    """Take over a state that `named_state` gave; the engine's system, replicas and settings must be those of the state.

    What the engine did before leaves no trace: it goes on as a fresh one would. Raises KeyError where a name is missing,
    RuntimeError where a shape differs.
    """
    engine.forget()
    names = _parameter_names(engine)
    with torch.no_grad():
        for name, parameter in engine.system.named_parameters():
            parameter.copy_(state[f"model.{name}"])
        for name, average in engine.ema.items():
            average.copy_(state[f"ema.{name}"])
    for player, optimizer in engine.optimizers.items():
        for parameter in engine.gradients[player].parameters:
            prefix = f"optimizer.{player}.{names[id(parameter)]}."
            found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            optimizer.state[parameter] = {
                k: _like(v, parameter) if v.shape == parameter.shape else v.to(engine.device, copy=True)
                for k, v in found.items()
            }
    for replica, of_replica in engine.pools.items():
        for domain, pool in of_replica.items():
            pool.load({field: state[f"pool.{replica}.{domain}.{field}"] for field in pool.state()})
    engine.t = int(state["counter.step"])
    engine.draws = {source: int(state[f"counter.draw.{source}"]) for source in engine.draws}
    engine.moves = {player: int(state[f"counter.moves.{player}"]) for player in engine.moves}
    engine.skips.counts |= {p: int(state[key]) for p in engine.moves if (key := f"counter.skipped.{p}") in state}
    engine.retreats = tuple(state["counter.retreats"].tolist()) if "counter.retreats" in state else ()
    engine.accuracy = state["balance.accuracy"].to(engine.device, copy=True)
    engine.numbers = {term: state[f"balance.number.{term}"].to(engine.device, copy=True) for term in engine.numbers}
    engine.measured = {name: state[f"measured.{name}"].to(engine.device, copy=True) for name in engine.system.measures}


def digest(state: Mapping[str, Tensor]) -> str:
    """One SHA-256 over names, types, shapes and bytes of the whole training state."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


@contextmanager
def averaged_weights(engine: Engine) -> Iterator[None]:
    """Inside, the generators carry their moving average, where there is one: for evaluation and export."""
    held = {name: parameter for name, parameter in engine.system.named_parameters() if name in engine.ema}
    trained = {name: parameter.data for name, parameter in held.items()}
    for name, parameter in held.items():
        parameter.data = engine.ema[name]
    try:
        yield
    finally:
        for name, parameter in held.items():
            parameter.data = trained[name]


def _replicated(engine: Engine) -> dict[str, Tensor]:
    """The part of the state that every worker holds alike."""
    state = {f"model.{name}": parameter.detach() for name, parameter in engine.system.named_parameters()}
    state |= {f"ema.{name}": average for name, average in engine.ema.items()}
    names = _parameter_names(engine)
    for player, optimizer in engine.optimizers.items():
        for parameter in engine.gradients[player].parameters:
            for field, value in optimizer.state.get(parameter, {}).items():
                state[f"optimizer.{player}.{names[id(parameter)]}.{field}"] = value
    state["counter.step"] = torch.tensor(engine.t)
    state |= {f"counter.draw.{source}": torch.tensor(count) for source, count in engine.draws.items()}
    state |= {f"counter.moves.{player}": torch.tensor(count) for player, count in engine.moves.items()}
    # What has not happened has no name, so that its digest does not depend on whether it was watched for.
    state |= {f"counter.skipped.{player}": torch.tensor(count) for player, count in engine.skipped.items() if count}
    if engine.retreats:
        state["counter.retreats"] = torch.tensor(engine.retreats, dtype=torch.int64)
    state["balance.accuracy"] = engine.accuracy
    state |= {f"balance.number.{term}": number for term, number in engine.numbers.items()}
    state |= {f"measured.{name}": value for name, value in engine.measured.items()}
    return state


def _snapshot(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU, in one go."""
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())


def _parameter_names(engine: Engine) -> dict[int, str]:
    return {id(parameter): name for name, parameter in engine.system.named_parameters()}


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy of `value` on the parameter's device, with its strides (fused optimizers ask for equal ones)."""
    return torch.empty_like(parameter).copy_(value)
