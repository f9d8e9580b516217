"""The `data` part of a sweep file: what is read, how it is changed, how much of it at a time, and what is kept of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.sweep_file.values import BatchOrAuto, Bytes, CacheFolder, Jitter, Limit, PartShare, PowerOrAuto, Side


class Part(BaseModel):
    """A mapping of the file: no key beyond the declared ones, no guessing between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Augment(Part):
    """Random changes of training images; evaluation sees none."""

    flip: bool = Field(default=True, description="Mirror half of the images left to right.")
    jitter: Jitter = Field(
        default=286 / 256,
        description="Load images at this multiple of `image`, crop at random; 1: no cropping, at most 2.",
    )


class Cache(Part):
    """What is kept of the data where it is used; nothing here acts on a result."""

    folder: CacheFolder = Field(
        default="",
        description="Folder on each node for shards that come over the network; empty: $I2I_CACHE_DIR, or "
        "i2i-cluster in the user's cache folder.",
    )
    limit: Bytes = Field(
        default=20_000_000_000, description="Most that the folder may hold, such as 20GB or 500GiB; a shard at least."
    )
    memory: Bytes = Field(
        default=256_000_000, description="Memory for decoded images in each worker, such as 256MB or 4GiB."
    )


class DataPart(Part):
    """What is read, and how much of it at a time."""

    uri: str = Field(
        description="The data set: a folder or s3://bucket/prefix?endpoint=... with shards and manifest, as "
        "`i2i-cluster shards build` or `shards index` makes them."
    )
    image: Side = Field(description="Side of the square training images in pixels, at most 8192.")
    batch: BatchOrAuto = Field(
        default="auto", description="Samples a step, over all workers, at most 65,536; auto: one for each replica."
    )
    replicas: PowerOrAuto = Field(
        default="auto",
        description="Fixed slices of a batch, a power of two: the result is the same on any number of "
        "workers that divides it; auto: the number of workers.",
    )
    augment: Augment = Field(default=Augment(), description="Random changes of training images.")
    mode: Literal["indexed", "stream"] = Field(
        default="indexed",
        description="indexed: by the manifest, exact; stream: tar shards without a manifest, in order only and unchecked.",
    )
    domains: dict[str, str] = Field(
        default={},
        description="With mode stream, the images of each domain: shards, extension or both, such as "
        "{a: 'horses-*.tar', b: 'zebras-*.tar:jpg'}; empty: extensions like a.png tell.",
    )
    limit: dict[str, Limit] = Field(
        default={}, description="Most training images of a domain, such as {a: 1} for one-shot; others are left out."
    )
    balanced: bool = Field(default=False, description="Draw every class equally often, whatever there is of it.")
    bad_samples: PartShare = Field(
        default=0.001,
        description="Share of a source's samples that may turn out unreadable before the run stops; others take "
        "their place. 0: none; above 0 one is always allowed.",
    )
    cache: Cache = Field(default=Cache(), description="What is kept of the data where it is used.")
