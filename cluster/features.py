"""A run's module of features: a file that the user gave, checked to be the one that was planned with."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch

from cluster.run import Features
from data_shards.errors import DataError
from data_shards.store import open_store
from data_shards.transfer import Patience
from trainers.features import Module, NoFeatures, Shown, load_module


def read_module(uri: str, patience: Patience | None = None) -> bytes:
    """The file at a path or an s3:// address. Raises FileNotFoundError, OSError or DataError."""
    base, mark, query = uri.partition("?") if "://" in uri else (uri, "", "")
    folder, _, name = base.rpartition("/")
    return open_store(f"{folder}{mark}{query}", patience).read(name)


def find_module(written: Features, channels: int, image: int, patience: Patience | None = None) -> Features:
    """`written` with its hash and with what it gives of pictures of that size, found by trying.

    Raises NoFeatures where the file is no network, or not one for such pictures; else as `read_module`.
    """
    data = read_module(written.uri, patience)
    gives = _loaded(data, written, torch.device("cpu")).gives(channels, image)
    return replace(written, sha256=hashlib.sha256(data).hexdigest(), gives=gives)


def load_features(features: Features | None, device: torch.device) -> Module | None:
    """The run's module on a device; None where it has none. Raises DataError where it is gone or another one."""
    if features is None:
        return None
    try:
        data = read_module(features.uri)
    except FileNotFoundError as error:
        raise DataError(f"the features module {features.uri} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != features.sha256:
        raise DataError(
            f"the features module {features.uri} changed since the sweep was planned; submit the sweep again"
        )
    try:
        return _loaded(data, features, device)
    except NoFeatures as error:
        raise DataError(str(error)) from error


def _loaded(data: bytes, features: Features, device: torch.device) -> Module:
    shown = Shown(features.image, features.low, features.high, features.channels)
    return load_module(data, features.name, shown, device)
