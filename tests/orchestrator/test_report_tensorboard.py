"""A sweep's trials as TensorBoard reads them: scalars, settings, pictures, and one file a trial however often they are written."""

import math
import struct

from orchestrator.report.tensorboard import FILE
from tests.orchestrator.reported import ID, PATHS, World, grid


def events(file):
    """The events of a file: records of a length, its checksum, as many bytes, and theirs."""
    from tensorboardX.proto.event_pb2 import Event

    raw, found = file.read_bytes(), []
    while raw:
        (size,) = struct.unpack("<Q", raw[:8])
        found.append(Event.FromString(raw[12 : 12 + size]))
        raw = raw[16 + size :]
    return found


def test_each_trial_has_its_numbers_settings_and_pictures(tmp_path, run):
    world = World(tmp_path).trial([0.5, 0.4]).trial([0.3], "stopped", by="asha", why="worse")
    world.store.write(PATHS.grid(1, 200), b"no picture")
    world.close()
    logs = tmp_path / "logs"
    code, out, told = run("report", "toy", "--storage", tmp_path, "--tensorboard", logs)
    assert (code, out) == (0, f"logs of 2 trials: {logs}    # tensorboard --logdir {logs}\n")
    assert told == f"left out as damaged: {ID}/trials/0001/grids/step-00000200.png: not a whole PNG\n"
    assert sorted(path.relative_to(logs).as_posix() for path in logs.rglob("*.*")) == [
        f"trial-0000/{FILE}", f"trial-0001/{FILE}"
    ]  # fmt: skip
    first, *found = events(logs / "trial-0000" / FILE)
    assert first.file_version == "brain.Event:2"
    values = [(event.step, value) for event in found for value in event.summary.value]
    scores = [(step, round(value.simple_value, 6)) for step, value in values if value.tag == "eval/l1"]
    assert scores == [(100, 0.5), (200, 0.4)]
    assert [step for step, value in values if value.tag == "loss/adv"] == [50, 100, 150, 200]
    assert all(math.isnan(value.simple_value) for _, value in values if value.tag == "loss/l1")
    pictures = [(step, value.image.encoded_image_string) for step, value in values if value.tag == "grid"]
    assert pictures == [(100, grid(0, 100)), (200, grid(0, 200))]
    told_settings = [value.metadata.plugin_data.content for _, value in values if value.tag.startswith("_hparams_")]
    assert len(told_settings) == 3
    assert any(b"weights.l1" in content for content in told_settings)


def test_a_second_export_replaces_the_first(tmp_path, run):
    World(tmp_path).trial([0.5]).write()
    ask = ("report", "toy", "--storage", tmp_path, "--tensorboard", tmp_path / "logs")
    assert run(*ask)[0] == 0
    World(tmp_path).trial([0.5, 0.4]).close()
    assert run(*ask)[0] == 0
    (file,) = (tmp_path / "logs").rglob("*tfevents*")
    assert max(event.step for event in events(file)) == 200


def test_where_no_logs_can_be_is_refused(tmp_path, run):
    World(tmp_path).trial([0.5]).close()
    (tmp_path / "file").write_text("")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "trial-0000").write_text("")
    for place, told in (("file", "is a file; name a folder"), ("logs", "cannot be written: file exists")):
        code, _, error = run("report", "toy", "--storage", tmp_path, "--tensorboard", tmp_path / place)
        assert (code, error) == (2, f"error: --tensorboard: {told}\n")
    code, _, error = run("report", "toy", "--tensorboard", tmp_path / "logs", "-o", "page.html")
    assert (code, error) == (2, "error: --output: a page or logs, one at a time; leave one of them out\n")
