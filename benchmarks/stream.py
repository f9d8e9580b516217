"""Pictures a second of the Stream / of a bare decode of the same pictures, and / of webdataset's own pipeline.

    python -m benchmarks.stream [--pictures 4000] [--rounds 15] [--take 2048] [--json]

Local shards of photographs of 256 pixels (about 20 KB, JPEG of quality 90), batch 16, two threads, nothing kept in memory,
and the same batches as uint8 on every side. webdataset shuffles by a buffer of 1000, decodes with simplejpeg too, and is
taken at the best of 0, 1 and 2 workers; its figures come from a process of its own. Judged without augmentation. With it,
a picture has to be enlarged before it is cropped, which costs more than to decode it, unless it is stored at the larger
size: both are shown. Rounds during which others kept a core busy are left out; CPU time, which they disturb less, stands
beside the first figure.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.loaders import WORKERS, Comparison, Peer, bare, streamed
from benchmarks.measure import Finding, conditions, parser, show
from benchmarks.pictures import SIDE, Photographs
from data_shards.augment import Augment

OF_BARE, OF_WEBDATASET = 0.9, 1.3
LOADED = Augment().load(SIDE)  # pixels a side that a picture has before it is cropped


def measure(pictures: int, rounds: int, take: int, wait: float) -> list[Finding]:
    """Make the shards, then time all sides in turns."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        stored, larger = (Photographs.make(Path(name, str(side)), pictures, side) for side in (SIDE, LOADED))
        peers = {f"webdataset, {workers} workers": Peer("webdataset", stored.folder, workers) for workers in WORKERS}
        takes = {
            "bare": bare(stored.files),
            "stream": streamed(stored.shards, SIDE, None),
            **{name: peer.take for name, peer in peers.items()},
            "bare larger": bare(larger.files),
            "augmented": streamed(larger.shards, SIDE, Augment()),
            "mirrored": streamed(stored.shards, SIDE, Augment(jitter=1.0)),
            "enlarged": streamed(stored.shards, SIDE, Augment()),
        }
        made = Comparison(takes, take, rounds, wait)
        for peer in peers.values():
            peer.close()
    best = made.fastest(peers)
    return [
        made.ratio("stream / bare decode", "bare", "stream", target=OF_BARE, note=str(made)),
        made.cpu_ratio("stream / bare decode, CPU time", "bare", "stream"),
        made.ratio(f"stream / {best}", best, "stream", target=OF_WEBDATASET),
        made.ratio("stream, mirrored / bare decode", "bare", "mirrored"),
        made.ratio(f"stream, augmented / bare decode, stored at {LOADED}", "bare larger", "augmented"),
        made.ratio("stream, enlarged and augmented / bare decode", "bare", "enlarged"),
    ]


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--pictures", type=int, default=4000, help="4000 make two shards")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--take", type=int, default=2048, help="pictures a side and round; a multiple of 32")
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.pictures, asked.rounds, asked.take, asked.wait), where, asked.json)


if __name__ == "__main__":
    main()
