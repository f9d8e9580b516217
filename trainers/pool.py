"""The history of generated images, as SimGAN uses it (Shrivastava et al. 2017) and as CycleGAN does. It is training state:
checkpoints hold it.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Pool:
    """Holds up to `capacity` images of one replica. Draws from torch's default CPU generator; capacity 0 switches it off."""

    def __init__(self, capacity: int, shape: tuple[int, int, int], device: torch.device) -> None:
        self.images = torch.zeros((capacity, *shape), device=device)
        self.count = torch.zeros((), dtype=torch.int64)

    def swap(self, images: Tensor) -> Tensor:
        """`images: [N,C,H,W]`, detached. While not full: stores and returns them; afterwards each is, with probability
        one half, exchanged for a random stored one. Images that are not finite are never stored.
        """
        capacity = self.images.shape[0]
        if capacity == 0:
            return images
        out: list[Tensor] = []
        for image in images.detach().float().unbind(0):
            held = int(self.count)
            if held < capacity:
                self._store(held, image, self.images[max(0, held - 1)].clone())
                self.count += 1
                out.append(image)
            elif torch.rand(()).item() < 0.5:
                place = int(torch.randint(capacity, ()).item())
                old = self.images[place].clone()
                self._store(place, image, old)
                out.append(old)
            else:
                out.append(image)
        return torch.stack(out)

    def mix(self, images: Tensor) -> Tensor:
        """`images: [N,C,H,W]`, detached. Returns as many: the first half are stored ones, each another one, as soon as so many
        are held. Then the first half of the new ones are stored: in free places, or in place of random ones.
        """
        capacity, half = self.images.shape[0], images.shape[0] // 2
        if capacity == 0:
            return images
        images, held = images.detach().float(), int(self.count)
        out = images
        if held >= half:
            past = torch.randperm(held)[:half].to(images.device)
            out = torch.cat([self.images[past], images[half:]])
        free = list(range(held, capacity))[:half]
        renewed = torch.randperm(held)[: half - len(free)].tolist()
        for place, image in zip([*free, *renewed], images, strict=False):
            self._store(place, image, self.images[place if place < held else max(0, place - 1)].clone())
        self.count += len(free)
        return out

    def _store(self, place: int, image: Tensor, otherwise: Tensor) -> None:
        finite = torch.isfinite(image).all()
        self.images[place] = torch.where(finite, image, otherwise)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: the images `[capacity,C,H,W]` and how many of them are in use."""
        return {"images": self.images, "count": self.count}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over a state of the same shape."""
        self.images.copy_(state["images"])
        self.count.copy_(state["count"])
