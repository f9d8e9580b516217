"""A regressor of angles: the task network that reads how far a picture is turned, and that other sweeps name as their `task`.

    min_T  E |T(x) - (cos θ, sin θ)|^2

θ is the angle of x, which the name of its class says in degrees. T gives a point of the plane, and reads the angle that it lies
at. An angle itself would be no target: 359 and 1 are 2 apart, and their mean as numbers points the opposite way. The squared
distance to the unit vector has no such seam: it is 2 - 2 cos of the difference where T(x) is a unit vector. Its minimiser is the
mean of the unit vectors that x may have: that points to their circular mean, and is the shorter the less x says. No norm is taken
on the way, since that would divide by a length of almost 0 where x says nothing.

A picture that is mirrored is turned the other way, so `data.augment.flip` has no place here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainers.angles import FULL, SEPARATOR, NoAngle, angles_of, degrees_of, off, units
from trainers.errors import SettingError
from trainers.hyper import Learning
from trainers.networks.classifier import Regressor as Network
from trainers.settings import Reads, Score, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System

LEAST_IMAGE = 8  # pixels: three halvings
DOMAINS = ("a", "b")


@dataclass(frozen=True)
class RegressorHyper(Learning):
    """The regressor's settings."""

    domain: str = setting("b", "the domain whose pictures' angles it learns to read", choices=DOMAINS, fixed=True)
    degrees: str | None = setting(
        None, "angle of each class, with commas between; empty: as the data set's classes are named", fixed=True
    )
    width: int = setting(32, "channels of the first layer", minimum=1, maximum=4096)
    lr: float = changed(Learning, "lr", 3e-3)
    beta1: float = changed(Learning, "beta1", 0.9)


class Regressor(System):
    """How far one domain's pictures are turned, learned from classes that are named after angles."""

    name = "regressor"
    title = "A regressor of one domain's angles: a task network"
    citation = "no paper: the squared distance to the unit vector of the angle"
    reads = Reads(("b",), paired=False, labelled=("b",), sided=True)
    terms = (Term("mse", "mse", 1.0, "squared distance of T(x) and the unit vector of the angle of x, 1 for T(x) = 0"),)
    shows = ()
    judges = (
        Score("angle_error", "min", "", "", "mean difference of the angle read and the true one, in degrees, 0 to 180"),
    )
    Hyper = RegressorHyper

    def __init__(self, hyper: RegressorHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        assert hyper.degrees is not None, "the plan fills the angles in"
        self.hyper, self.reads, self.degrees = hyper, self.reading(hyper), degrees_of(hyper.degrees.split(SEPARATOR))
        self.network = Network(shapes[hyper.domain][0], hyper.width)
        self.regressor = Player("regressor", (self.network,), hyper.build_optimizer(), hyper.rate(steps))
        self.players = (self.regressor,)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}
        self._units = units(self.degrees)  # no buffer: it is a setting, and no state

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> Regressor:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def reading(cls, hyper: Any) -> Reads:
        """The pictures and classes of `hyper.domain` alone."""
        return Reads((hyper.domain,), paired=False, labelled=(hyper.domain,), sided=True)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        image = shapes[hyper.domain][1]
        if image < LEAST_IMAGE:
            problem = f"the regressor needs an image of at least {LEAST_IMAGE} pixels, not {image}"
            raise SettingError("data.image", image, f"{problem}; nearest: {LEAST_IMAGE}")
        if hyper.degrees is not None:
            _check_degrees(hyper.degrees)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """One batch, one move."""
        images, classes = replica.draw_labelled(self.hyper.domain)
        yield Move((self.weigh(mse=lambda: self.squared(images, classes)), self.regressor))

    def squared(self, images: Tensor, classes: Tensor) -> Tensor:
        """Of pictures `[N,C,H,W]` and the numbers of their classes, `[N]`: a scalar."""
        if self._units.device != images.device:
            self._units = self._units.to(images.device)
        said: Tensor = self.network(images)
        return (said.float() - self._units[classes]).square().sum(1).mean()

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Nothing: it makes no pictures."""
        return {}

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`angle_error`, `[N]`: between the angle that is read and that of the class; of no class, of any."""
        said = angles_of(self.network(images[self.hyper.domain]))
        truth = said.new_tensor(self.degrees)[labels[self.hyper.domain].cpu()]
        return {"angle_error": off(said, truth)}


def _check_degrees(text: str) -> None:
    """Raise SettingError unless there are two angles to tell apart."""
    try:
        degrees = degrees_of(text.split(SEPARATOR))
    except NoAngle as error:
        raise SettingError("hyper.degrees", text, f"is numbers with commas between, and {error}") from error
    if len({angle % FULL for angle in degrees}) < 2:
        raise SettingError("hyper.degrees", text, "all classes are of one angle, so there is nothing to read")
