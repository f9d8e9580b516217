"""A sweep's trials as event files for TensorBoard: scalars as they were reported, settings with their last scores, and the grids.

Each trial has one file with a name of its own, which a later export replaces: TensorBoard adds up all files of a folder, so a
second one would show everything twice. Steps come in ascending order, for it takes a lower one for a restart.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.log.records import TrialState
from orchestrator.errors import Refusal
from orchestrator.finding import FoundSweep
from orchestrator.report.pictures import Advance, read_picture, stored
from orchestrator.report.story import TrialStory, read_story
from orchestrator.results.outcome import goals_of, params_of

NEEDS = ("tensorboardX",)
FILE = "events.out.tfevents.0000000000.i2i"
SIZE_OF_PNG = slice(16, 24)  # where its header says width and height
GRID = "grid"
VERSION = "brain.Event:2"  # what the first record of such a file says


def write_events(sweep: FoundSweep, folder: Path, advance: Advance = lambda done, of: None) -> tuple[list[str], int]:
    """Write `folder/trial-0000/` and so on, over what an earlier export wrote there: what was damaged, and how many trials.

    Raises Refusal where the sweep has not started or the folder cannot be written, and what the store does.
    """
    sweep.metric  # noqa: B018  # refuses a sweep that has not started
    story = read_story(sweep)
    damaged: list[str] = []
    trials = [trial for _, trial in sorted(sweep.state.trials.items())]
    for done, trial in enumerate(trials, 1):
        told = story.trials.get(trial.index, TrialStory())
        events = [*_settings(sweep, trial), *_scalars(told), *_grids(sweep, trial.index, told, damaged)]
        try:
            _write(folder / f"trial-{trial.index:04d}" / FILE, events)
        except OSError as error:
            problem = f"cannot be written: {(error.strerror or '').lower()}"
            raise Refusal(problem, path="--tensorboard", value=str(folder)) from error
        advance(done, len(trials))
    return damaged, len(trials)


def _scalars(told: TrialStory) -> Iterator[Any]:
    """Every number of every report, those that are not finite included: TensorBoard marks them."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    for step in sorted(told.reports):
        values = [Summary.Value(tag=name, simple_value=_float32(v)) for name, v in told.reports[step].items()]
        yield Event(wall_time=told.told[step], step=step, summary=Summary(value=values))


def _settings(sweep: FoundSweep, trial: TrialState) -> Iterator[Any]:
    """The trial's values, for the page of hyperparameters, against its last scores."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.summary import hparams

    goals = [goal.metric for goal in goals_of(sweep.state.about)]
    params = {name: value for name, value in params_of(sweep.state, trial).items() if value is not None}
    scores = {name: trial.metrics[name] for name in goals if name in trial.metrics}
    for summary in hparams(params, scores):
        yield Event(wall_time=sweep.state.changed, step=0, summary=summary)


def _grids(sweep: FoundSweep, trial: int, told: TrialStory, damaged: list[str]) -> Iterator[Any]:
    """The pictures as they are stored; what is no whole PNG is named in `damaged`."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    for step, (path, size) in stored(sweep.store, sweep.paths, trial).items():
        picture, wrong = read_picture(sweep.store, path, size)
        if wrong:
            damaged.append(f"{path}: {wrong}")
            continue
        width, height = struct.unpack(">II", picture[SIZE_OF_PNG])
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=picture)
        at = told.told.get(step, sweep.state.changed)
        yield Event(wall_time=at, step=step, summary=Summary(value=[Summary.Value(tag=GRID, image=image)]))


def _write(file: Path, events: list[Any]) -> None:
    """Write beside the file, then rename."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter

    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".tmp-{file.name}")
    begins = Event(wall_time=events[0].wall_time if events else 0.0, file_version=VERSION)
    try:
        writer = RecordWriter(str(beside))
        try:
            for event in (begins, *events):
                writer.write(event.SerializeToString())
        finally:
            writer.close()
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _float32(value: float) -> float:
    """A number that a 32-bit float holds: larger ones become infinite, as a cast would make them."""
    try:
        struct.pack("f", value)
    except OverflowError:
        return math.copysign(math.inf, value)
    return value
