"""Augmentation as CycleGAN and pix2pix do it: enlarge a little, crop at random, mirror half of the pictures.

What is done to a picture follows from where it stands in the training, never from a worker's state: the same picture
drawn on four replicas gives four views, and the same place gives the same view again after any restart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_shards.order import random_numbers

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class View:
    """How to look at one picture: the crop's corner in pixels of the enlarged picture, and whether to mirror it."""

    top: int
    left: int
    mirror: bool

    def show(self, picture: Picture, out: Picture) -> None:
        """[load, load, C] -> `out` [image, image, C]. Both sides of a pair get the same View."""
        image = len(out)
        crop = picture[self.top : self.top + image, self.left : self.left + image]
        if not self.mirror:
            out[...] = crop
            return
        for channel in range(out.shape[2]):  # numpy reverses pixels of three bytes at a quarter of this speed
            out[:, :, channel] = crop[:, ::-1, channel]


@dataclass(frozen=True)
class Augment:
    """flip: mirror half of the pictures, left to right. jitter: how much larger a picture is loaded before it is
    cropped.

    A jitter of 1.0 crops nothing; the papers load at 286 pixels and crop 256, which is the default.
    """

    flip: bool = True
    jitter: float = 286 / 256

    def __post_init__(self) -> None:
        assert self.jitter >= 1.0, f"jitter {self.jitter} would load a picture smaller than its crop"

    def load(self, image: int) -> int:
        """The side, in pixels, at which a picture is loaded to be cropped to `image`."""
        return round(image * self.jitter)

    def views(self, image: int, count: int, seed: int, source: str, draw: int, replica: int) -> list[View]:
        """The views of the `count` slots that `replica` draws from `source` at `draw`."""
        span = self.load(image) - image + 1  # how many places the crop's corner can take
        numbers = random_numbers(3 * count, "augment", seed, source, draw, replica).reshape(count, 3).tolist()
        return [
            View(top % span, left % span, self.flip and mirror >> 63 == 1)  # bias of % below 2**-50
            for top, left, mirror in numbers
        ]
