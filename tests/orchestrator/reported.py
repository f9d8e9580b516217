"""A sweep that nobody ran, with everything that a report shows: its log, written by hand at chosen times, and its pictures."""

import io
import json

import numpy as np
from PIL import Image

from cluster.layout import SweepPaths
from data_shards.store import open_store
from trainers.grid import draw_grid

ID = "0123456789ab"
PATHS = SweepPaths(ID)
START = 1_700_000_000.0  # seconds since 1970
LICENSE = "All pictures by Nobody. License: CC BY-SA 4.0"
L1, SSIM = {"metric": "eval/l1", "mode": "min"}, {"metric": "eval/ssim", "mode": "max"}
WRITTEN = {
    "name": "toy",
    "system": "pix2pix",
    "data": {"uri": "s3://bucket/shards?endpoint=http://host:8333"},
    "search": {"weights.l1": {"log_uniform": [10, 200]}},
}
# What would run in a page that repeats it as it is.
EVIL = "<b><img src=x onerror=\"window.hacked='{0}'\"></script><script>window.hacked='{0}'</script>"


def evil(where):
    return EVIL.format(where)


class World:
    """The sweep in a storage. `trial` and others record; `close` writes the log; returns itself each."""

    def __init__(self, storage, name="toy", **about):
        self.store, self.records, self.at, self.count = open_store(str(storage)), [], 0.0, 0
        self.about = {
            "file": "sweep.yaml", "system": "pix2pix", "data": {"name": "pairs", "license": LICENSE},
            "identity": {"data.uri": "manifest 5eed", "seed": 7}, "objective": L1, "objectives": [L1], "steps": 400,
            "trials": 3, "axes": {"weights.l1": "log-uniform from 10 to 200", "hyper.penalty": "choice of none, gp"},
            "searcher": "random", "scheduler": "asha", "written": WRITTEN,
        } | about  # fmt: skip
        self.add("opened", id=ID, name=name, attempt=1, about=self.about)

    def add(self, kind, *, after=1.0, **fields):
        self.at += after
        self.records.append({"v": 2, "at": START + self.at, "kind": kind, **fields})
        return self

    def trial(self, scores, state="done", pictures=True, **more):
        """A training evaluated every 100 steps, with a report between each two; scores: of eval/l1, or all of them."""
        index, self.count = self.count, self.count + 1
        params = more.pop("params", {"weights.l1": 100.0 / (index + 1), "hyper.penalty": "gp" if index % 2 else "none"})
        told = {key: more.pop(key) for key in ("setting", "seed", "finalist") if key in more}
        self.add("suggested", trial=index, params=params, **{"seed": 7, **told})
        self.add("started", trial=index, attempt=1)
        for number, score in enumerate(scores, 1):
            self.report(index, 100 * number - 50)
            self.report(index, 100 * number, score, pictures)
            self.add("decided", trial=index, step=100 * number, value=0.5, action="continue")
        if state in ("done", "stopped", "failed"):
            self.add("ended", trial=index, state=state, error=more.pop("error", None), **more)
        return self

    def report(self, trial, step, score=None, pictures=False):
        metrics = {"loss/adv": 1.0 + 1 / step, "loss/l1": None, "weight/l1": 100.0, "balance/accuracy_d": 0.7}
        metrics |= {"time/images_per_second": 12.5, "time/train_seconds": step / 10, "resources/workers": 1.0}
        if score is not None:
            metrics |= score if isinstance(score, dict) else {"eval/l1": score, "eval/ssim": 1 - score}
        self.add("reported", trial=trial, step=step, metrics=metrics, evaluated=score is not None)
        if pictures:
            self.store.write(PATHS.grid(trial, step), grid(trial, step))

    def close(self, state="done", reason=None):
        return self.add("closed", state=state, reason=reason).write()

    def write(self):
        lines = [json.dumps(record).encode() + b"\n" for record in self.records]
        if not self.store.remote:
            self.store.write(PATHS.log, b"".join(lines))
        for number, line in enumerate(lines if self.store.remote else (), 1):
            self.store.create(f"{PATHS.segments}/{number:08d}.jsonl", line)
        return self


def grid(trial, step, noisy=False):
    """A picture as an evaluation stores it; noisy: one that no PNG makes small."""
    chance = np.random.default_rng(trial * 1000 + step)
    pixels = (
        chance.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
        if noisy
        else np.full((2, 96, 96, 3), step % 256, np.uint8)
    )
    return draw_grid({"real_a": pixels, "fake_b": 255 - pixels}, f"trial {trial}, step {step}", LICENSE)


def decoded(address):
    """The picture of a data address: its format and size."""
    import base64

    kind, _, text = address.partition(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
        image.load()
        assert kind == f"data:image/{str(image.format).lower()}"
        return image.format, image.size
