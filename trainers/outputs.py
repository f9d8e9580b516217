"""What a network that looks at pictures can give of them, by the names that a score asks for it and a module tells it."""

from __future__ import annotations

FEATURES = "features"  # [N,F]: what tells pictures apart
LOGITS = "logits"  # [N,K]: which class they are of
LPIPS = "lpips"  # [N,D]: the squared distance of two of them is the learned perceptual one
MAPS = "maps"  # [N,C,H,W] of one layer or more; a module may name them as it likes
PIXELS = "pixels"  # [N,K,H,W]: which class each pixel is of

WORDS = {
    FEATURES: "features",
    LOGITS: "classes of pictures",
    LPIPS: "learned perceptual distances",
    MAPS: "maps of features",
    PIXELS: "classes of pixels",
}
