"""Networks whose batch norms look at nobody else: what is made of a picture or a code then does not hang on its company.

Batch norms here keep no statistics while they learn, so they have to be given some before a network is used on its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn

from trainers.ways import Way

COMPANY = 256  # pictures whose statistics a batch norm of a generator from noise keeps


def alone(network: nn.Module) -> nn.Module:
    """A copy in which batch norm normalises each picture by its own statistics, as it does where a picture comes alone."""
    return _replaced(copy.deepcopy(network), _to_instance)


def settled(way: Way) -> nn.Module:
    """A copy of a generator from noise whose batch norms keep the statistics of COMPANY drawn pictures: what it makes of a code
    then hangs on nothing else. Codes come from torch's generator, labels in turn."""
    assert way.draw is not None and not way.source
    network = _replaced(copy.deepcopy(way.network), _to_tracking)
    labels = [torch.eye(way.labels)[torch.arange(COMPANY) % way.labels]] if way.labels else []
    with torch.no_grad():
        network.train()(way.draw(COMPANY), *labels)
    return network.eval()


def _replaced(network: nn.Module, other: Callable[[nn.BatchNorm2d], nn.Module]) -> nn.Module:
    if isinstance(network, nn.BatchNorm2d):
        return other(network)
    for name, child in list(network.named_children()):
        setattr(network, name, _replaced(child, other))
    return network


def _to_instance(norm: nn.BatchNorm2d) -> nn.Module:
    other = nn.InstanceNorm2d(norm.num_features, norm.eps, affine=norm.affine)
    other.load_state_dict(norm.state_dict())
    return other.to(norm.weight)


def _to_tracking(norm: nn.BatchNorm2d) -> nn.Module:
    other = nn.BatchNorm2d(norm.num_features, norm.eps, momentum=None, affine=norm.affine)
    other.load_state_dict(norm.state_dict(), strict=False)  # all but the statistics
    return other.to(norm.weight)
