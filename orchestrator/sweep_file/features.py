"""The `evaluation` part of a sweep file: what an evaluation looks at, and in which network's features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.values import Draws, FeaturesName, Levels, Several, Side


class FeatureModule(Part):
    """A network, as a TorchScript file, whose features pictures are compared in; docs/scores.md says how to export one."""

    name: FeaturesName = Field(
        description="What scores in it are called by: eval/kid[NAME]; letters, digits, dots, dashes."
    )
    module: str = Field(
        description="The file: a path or s3://bucket/path?endpoint=...; its SHA-256 counts, not its place."
    )
    image: Side | None = Field(default=None, description="Side in pixels that it wants; empty: pictures as they are.")
    range: Levels = Field(default=(-1.0, 1.0), description="Values of black and white that it wants, such as [0, 255].")
    channels: Literal[1, 3] = Field(
        default=3, description="Channels that it wants; grey pictures are repeated, others made grey."
    )


class Evaluation(Part):
    """What an evaluation looks at."""

    samples: Several = Field(
        default=128, description="Most validation images of a domain, at least 2, the same ones every time."
    )
    draws: Draws = Field(
        default=8, description="Translations of each image, for systems that have more than one; at most 100."
    )
    features: FeatureModule | None = Field(
        default=None,
        description="A network whose features scores are taken in, beside those of the task network.",
    )
