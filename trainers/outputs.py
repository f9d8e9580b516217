"""What a network that looks at pictures can give of them, by the names that a score asks for it and a module tells it."""

from __future__ import annotations

from collections.abc import Collection

ANGLES = "angles"  # [N,2]: how far they are turned, as a cosine and a sine
FEATURES = "features"  # [N,F]: what tells pictures apart
LOGITS = "logits"  # [N,K]: which class they are of
LPIPS = "lpips"  # [N,D]: the squared distance of two of them is the learned perceptual one
MAPS = "maps"  # [N,C,H,W] of one layer or more; a module may name them as it likes
PIXELS = "pixels"  # [N,K,H,W]: which class each pixel is of
CLASSES = "classes"  # LOGITS or PIXELS, whichever there are
EITHER = (LOGITS, PIXELS)
READINGS = frozenset({ANGLES, LOGITS, PIXELS})  # what a task network is trained to give: one of them

WORDS = {
    FEATURES: "features",
    LOGITS: "classes of pictures",
    LPIPS: "learned perceptual distances",
    MAPS: "maps of features",
    PIXELS: "classes of pixels",
    ANGLES: "angles",
    CLASSES: "classes of pictures or of pixels",
}


def is_given(output: str, gives: Collection[str]) -> bool:
    """Whether what gives these outputs gives that one."""
    return any(one in gives for one in (EITHER if output == CLASSES else (output,)))
