"""Another library's loader, in a process and an environment of its own; talks by lines on stdin and stdout.

    python -P benchmarks/peer.py PEER FOLDER WORKERS      (by `loaders.Peer`, not by hand)

A line with a number asks for so many pictures; the answer is the seconds they took. Some are taken before the clock
starts, so that what was fetched ahead while the process slept does not count. It imports nothing of the project, because
the libraries need not bear with the project's dependencies. All of them read JPEG bytes and decode with simplejpeg into
uint8 batches, as the Stream does: what differs is the machinery.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import simplejpeg
import torch

BATCH = 16
BUFFER = 1000  # of webdataset's shuffle
CONVERT = "convert"  # in the place of the workers: write the library's own files
AHEAD = 128  # pictures taken before the clock starts

torch.set_num_threads(1)  # nothing here computes


def decoded(data: bytes) -> torch.Tensor:
    """[height, width, 3]"""
    return torch.from_numpy(simplejpeg.decode_jpeg(data, "RGB"))


def unpacked(sample: dict[str, Any]) -> torch.Tensor:
    return decoded(sample["a.jpg"])


def image_of(sample: dict[str, Any]) -> torch.Tensor:
    return decoded(sample["image"])


def webdataset(folder: str, workers: int) -> Iterable[torch.Tensor]:
    """webdataset's own pipeline over the tar files; without `.decode()`, whose dispatch by file name costs a little."""
    wds, collate = importlib.import_module("webdataset"), importlib.import_module("torch.utils.data").default_collate
    urls = sorted(str(file) for file in Path(folder, "shards").glob("train-a-*.tar"))
    data = wds.WebDataset(urls, shardshuffle=len(urls)).repeat().shuffle(BUFFER).map(unpacked)
    loader: Iterable[torch.Tensor] = wds.WebLoader(
        data.batched(BATCH, collation_fn=collate), batch_size=None, num_workers=workers
    )
    return loader


def streaming(folder: str, workers: int) -> Iterable[torch.Tensor]:
    """MosaicML's StreamingDataset over MDS shards in the same folder."""
    library = importlib.import_module("streaming")
    utilities = importlib.import_module("torch.utils.data")

    class Images(library.StreamingDataset):  # type: ignore[name-defined, misc]
        def __getitem__(self, at: int) -> torch.Tensor:
            return image_of(super().__getitem__(at))

    data = Images(local=f"{folder}/mds", shuffle=True, batch_size=BATCH)
    return forever(lambda: utilities.DataLoader(data, batch_size=BATCH, num_workers=workers))


def litdata(folder: str, workers: int) -> Iterable[torch.Tensor]:
    """LitData's StreamingDataset over its chunks in the same folder."""
    library = importlib.import_module("litdata")
    data = library.StreamingDataset(f"{folder}/litdata", shuffle=True, transform=image_of)
    return forever(lambda: library.StreamingDataLoader(data, batch_size=BATCH, num_workers=workers))


def forever(make: Callable[[], Iterable[torch.Tensor]]) -> Iterator[torch.Tensor]:
    """Epoch after epoch of one loader."""
    loader = make()
    while True:
        yield from loader


def convert(peer: str, folder: str) -> None:
    """Write the pictures `FOLDER/source/a` in the library's own format, in files of 64 MiB."""
    files = [str(file) for file in sorted(Path(folder, "source/a").iterdir())]
    if peer == "streaming":
        writer = importlib.import_module("streaming").MDSWriter
        with writer(out=f"{folder}/mds", columns={"image": "bytes"}, size_limit=64 << 20) as out:
            for file in files:
                out.write(read(file))
    elif peer == "litdata":
        optimize = importlib.import_module("litdata").optimize
        optimize(fn=read, inputs=files, output_dir=f"{folder}/litdata", chunk_bytes=64 << 20, num_workers=1)


def read(file: str) -> dict[str, bytes]:
    return {"image": Path(file).read_bytes()}


PEERS = {"webdataset": webdataset, "streaming": streaming, "litdata": litdata}
DISTRIBUTIONS = {"webdataset": "webdataset", "streaming": "mosaicml-streaming", "litdata": "litdata"}


def main() -> None:
    peer, folder, workers = sys.argv[1:]
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = sys.stderr  # the libraries print
    if workers == CONVERT:
        convert(peer, folder)
        return
    batches = iter(PEERS[peer](folder, int(workers)))
    first = next(batches)
    assert first.shape[0] == BATCH and first.dtype == torch.uint8, (first.shape, first.dtype)
    print(metadata.version(DISTRIBUTIONS[peer]), file=answers, flush=True)
    for line in sys.stdin:
        taken(batches, AHEAD)
        began = time.perf_counter()
        taken(batches, int(line))
        print(time.perf_counter() - began, file=answers, flush=True)


def taken(batches: Iterator[torch.Tensor], count: int) -> None:
    """Take `count` pictures."""
    while count > 0:
        for batch in islice(batches, 1):
            count -= len(batch)


if __name__ == "__main__":
    main()
