"""`evaluation.features`: the user's own network, tried on pictures of the sweep's size before anything is planned with it."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.run import Features
from data_shards.address import is_remote
from data_shards.errors import DataError
from data_shards.store import local_folder
from orchestrator.errors import Refusal
from orchestrator.planning.data import DataFacts
from orchestrator.storage import SOMEBODY_WAITS
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.task.task import TaskNetwork
from trainers.outputs import FEATURES
from trainers.scores import JUDGED, TASK

PATH = "evaluation.features.module"
OF_WIDTH = 4  # features of a task network for each channel of its first layer


def find_features(sweep: Sweep, data: DataFacts | None) -> Features | None:
    """The sweep's module, tried on noise like the pictures of b in `data`; None where it names none. Raises Refusal."""
    written = sweep.evaluation.features
    if written is None:
        return None
    from cluster.features import find_module  # loads torch
    from trainers.features import NoFeatures

    uri = written.module if is_remote(written.module) else str(local_folder(written.module))
    low, high = written.range
    plain = Features(written.name, uri, "", written.image or 0, low, high, written.channels, {})
    channels = data.stored[JUDGED][0] if data and JUDGED in data.stored else written.channels
    try:
        return find_module(plain, channels, sweep.data.image, SOMEBODY_WAITS)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise Refusal(f"{written.module} is not there, or no file", path=PATH, value=written.module) from error
    except (DataError, NoFeatures) as error:
        raise Refusal(str(error), path=PATH, value=written.module) from error


def notes_on_rank(metrics: Iterable[str], samples: int, widths: dict[str, int]) -> list[str]:
    """What the user should know of Frechet distances that are asked for; `widths`: network -> columns of its features."""
    notes = []
    for metric in dict.fromkeys(metrics):
        base, bracket, network = metric.removeprefix("eval/").rstrip("]").partition("[")
        width = widths.get(network, 0)
        if base == "fid" and bracket and samples <= width:
            notes.append(
                f"{metric} is of at most {samples:,} pictures and {width:,} features: with fewer than {width + 1:,} it is too "
                f"large, by an amount that depends on their number; eval/kid[{network}] is not"
            )
    return notes


def widths_of(features: Features | None, task: TaskNetwork | None) -> dict[str, int]:
    """Network -> columns of its features."""
    widths = {TASK: OF_WIDTH * task.width} if task else {}
    return widths | ({features.name: features.gives[FEATURES]} if features else {})
