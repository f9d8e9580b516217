"""Scores of pictures that are there already, by the functions that score a training: a block at a time, so that only sums are kept.

Beside the sums: a number or two for each picture, and the features of at most MOST of each kind, for distances that need them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import torch
from torch import Tensor

from trainers.descriptors import retrieval, separation, squared_distance
from trainers.distances import half_distances, pair_distances
from trainers.features import Network, OfTask, Said
from trainers.fid import Moments, fid
from trainers.inception import Parts
from trainers.kid import kid, kid_spread
from trainers.measures import LEAST_SSIM, angle, l1, psnr, ssim, unit
from trainers.outputs import FEATURES, LOGITS, LPIPS
from trainers.pair_judge import AXIS, correlation
from trainers.readings import FAKE, INPUT, Angles, Classes, Found, Pixels, Readings, Values
from trainers.replica import to_images
from trainers.samples import CHUNK
from trainers.style import content, gram_sums, style

REAL = "real"
MOST = 10_000  # features of a kind that are kept, evenly spread over its pictures
LEAST_SPREAD = 4  # pictures of each kind that the spread of a kernel distance needs
PIXELS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "psnr": psnr, "ssim": ssim}


class Comparison:
    """Real and generated pictures, and the inputs of these where they are known. counts: how many there are of each kind.

    paired: picture i of FAKE and REAL, which are handed in together, are of one input. networks: each with what it gives; the
    first is the one that scores without a name in brackets are taken in.
    """

    def __init__(self, networks: Mapping[Network, Collection[str]], counts: Mapping[str, int], paired: bool) -> None:
        self._paired, self._device, self.seen = paired, device(), dict.fromkeys(counts, 0)
        self._networks = [_InNetwork(network, gives, counts, paired) for network, gives in networks.items()]
        self._pixels = {name: Values() for name in PIXELS}
        self._pairs = {kind: Values() for kind in counts}
        self._halves = {kind: Values() for kind in counts}

    def look(self, pictures: Mapping[str, np.ndarray], classes: np.ndarray | None = None) -> None:
        """The next uint8 `[N,H,W,C]` by kind, N at most CHUNK; kinds that come together are of the same inputs.

        classes: integers `[N]` of these or `[N,H,W]` of their pixels, by the numbers of the task network; -1 where unknown,
        None where nobody asks.
        """
        images = {kind: to_images(pixels, self._device, torch.contiguous_format) for kind, pixels in pictures.items()}
        assert all(len(batch) <= CHUNK for batch in images.values())
        if self._paired and FAKE in images:
            for name, measure in PIXELS.items():
                if name != "ssim" or min(images[FAKE].shape[2:]) >= LEAST_SSIM:
                    self._pixels[name].add(measure(images[FAKE], images[REAL]))
        for kind, batch in images.items():
            self.seen[kind] += len(batch)
            seen = unit(batch)
            self._pairs[kind].add(pair_distances(seen))
            self._halves[kind].add(half_distances(seen, AXIS) if seen.shape[3] % 2 == 0 else torch.empty(0))
        told = None if classes is None else torch.from_numpy(classes).long()
        for network in self._networks:
            network.look(images, told)

    @property
    def widths(self) -> dict[str, int]:
        """How many features each network has told, by its name."""
        return {network.name: network.width for network in self._networks}

    def scores(self) -> dict[str, Found]:
        """Name -> score, of those that could be computed."""
        found = {name: values.found() for name, values in self._pixels.items() if values.parts}
        for place, network in enumerate(self._networks):
            found |= network.scores(chosen=place == 0)
        pairs = {kind: values.all for kind, values in self._pairs.items()}
        fewest = min(self.seen[kind] for kind in (REAL, FAKE))
        if len(pairs[REAL]) and len(pairs[FAKE]) and float(pairs[REAL].mean()):
            found["collapse"] = Found(float(pairs[FAKE].mean() / pairs[REAL].mean()), fewest)
        halves = {kind: values.all for kind, values in self._halves.items()}
        for name, distances in (("distance_correlation", pairs), ("distance_correlation_halves", halves)):
            told = correlation(distances[INPUT], distances[FAKE]) if INPUT in distances else None
            found |= {name: Found(told, self.seen[FAKE])} if told is not None else {}
        return found


class _InNetwork:
    """What is kept of pictures in one network."""

    def __init__(self, network: Network, gives: Collection[str], counts: Mapping[str, int], paired: bool) -> None:
        self._network, self._gives, self._counts, self._paired = network, gives, counts, paired
        self._moments: dict[str, Moments] = {}
        self._kept: dict[str, list[Tensor]] = {kind: [] for kind in counts}
        self._seen = dict.fromkeys(counts, 0)
        self._styles: dict[str, Tensor] = {}
        self._parts: Parts | None = None
        self._lpips, self._content, self._cosine = Values(), Values(), Values()
        self._read: Readings | None = None
        if isinstance(network, OfTask):
            pixels = Pixels(network.pixel_classes) if network.pixel_classes else None
            self._read = pixels or (Angles(network.degrees) if network.degrees else Classes())

    @property
    def name(self) -> str:
        return self._network.name

    @property
    def width(self) -> int:
        return next(iter(self._kept[FAKE])).shape[1]

    def look(self, images: Mapping[str, Tensor], classes: Tensor | None) -> None:
        said = {kind: self._network.look(batch, self._gives) for kind, batch in images.items()}
        for kind, told in said.items():
            self._take_in(kind, told)
            if self._read is not None and classes is not None:
                self._read.add(kind, told.rows, classes)
        if FAKE in said and REAL in said and LPIPS in said[FAKE].rows:
            self._lpips.add(squared_distance(said[FAKE].rows[LPIPS], said[REAL].rows[LPIPS]))
        if FAKE in said and INPUT in said:
            self._cosine.add(1.0 - angle(said[INPUT].rows[FEATURES], said[FAKE].rows[FEATURES]))
            if said[FAKE].maps:
                self._content.add(content(said[INPUT].maps, said[FAKE].maps))

    def _take_in(self, kind: str, said: Said) -> None:
        features = said.rows[FEATURES].cpu()
        self._moments.setdefault(kind, Moments(features.shape[1])).add(features)
        first, total = self._seen[kind], self._counts[kind]
        chosen = [i for i in range(len(features)) if is_kept(first + i, total)]
        self._kept[kind].append(features[chosen])
        self._seen[kind] += len(features)
        if kind == FAKE and LOGITS in said.rows:
            self._parts = self._parts or Parts(total, said.rows[LOGITS].shape[1])
            self._parts.add(said.rows[LOGITS])
        if said.maps and kind != INPUT:
            summed = gram_sums(said.maps).cpu()
            self._styles[kind] = self._styles[kind] + summed if kind in self._styles else summed

    def scores(self, chosen: bool) -> dict[str, Found]:
        named, fewest = f"[{self._network.name}]", min(self._seen[kind] for kind in (REAL, FAKE))
        found = {f"lpips{named}": self._lpips.found()} if self._lpips.parts else {}
        kept = {kind: torch.cat(rows) for kind, rows in self._kept.items() if rows}
        if fewest > 1:
            found[f"fid{named}"] = Found(fid(self._moments[FAKE], self._moments[REAL]), fewest)
            rows = kept[FAKE], kept[REAL]
            of = min(map(len, rows))
            spread = kid_spread(*rows, self._paired) if of >= LEAST_SPREAD else None
            found[f"kid{named}"] = Found(kid(*rows, self._paired), of, spread)
        if self._parts is not None:
            score, spread = self._parts.of()
            found[f"is{named}"] = Found(score, self._parts.seen, spread)
        found |= self._read.scores() if self._read is not None else {}
        return found | (self._unnamed(kept) if chosen else {})

    def _unnamed(self, kept: Mapping[str, Tensor]) -> dict[str, Found]:
        """The scores without a name in brackets."""
        found = {"content": self._content.found()} if self._content.parts else {}
        found |= {"cosine": self._cosine.found()} if self._cosine.parts else {}
        if REAL in self._styles and FAKE in self._styles:
            means = [self._styles[kind] / self._seen[kind] for kind in (FAKE, REAL)]
            found["style"] = Found(style(*means), min(self._seen[kind] for kind in (REAL, FAKE)))
        if self._paired and FAKE in kept:
            found["retrieval"] = Found(retrieval(kept[FAKE], kept[REAL]), len(kept[FAKE]))
        if {REAL, FAKE, INPUT} <= kept.keys():
            found["separation"] = Found(separation(kept[INPUT], kept[REAL], kept[FAKE]), len(kept[FAKE]))
        return found


def device() -> torch.device:
    """Where networks look at pictures: the machine's first GPU, or its CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def is_kept(index: int, total: int) -> bool:
    """Whether the features of picture `index` of `total` are kept: all of up to MOST, else MOST of them, evenly spread."""
    return total <= MOST or (index + 1) * MOST // total > index * MOST // total
