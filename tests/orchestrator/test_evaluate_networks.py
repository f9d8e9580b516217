"""`evaluate --features`: how modules want their pictures, and modules that look right and are not."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from orchestrator.evaluate.files import read_picture
from tests.trainers.judging import Tiny, as_file
from trainers.features import Shown

HEIGHT, WIDTH = 16, 40


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Here are folders real and made of pictures that are not square."""
    monkeypatch.chdir(tmp_path)
    for name in ("real", "made"):
        Path(name).mkdir()
        for i in range(4):
            pixels = np.random.default_rng([len(name), i]).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
            Image.fromarray(pixels).save(f"{name}/{i}.png")
    return Path()


class Grey(nn.Module):
    """Takes one channel: features are the means of halves."""

    def forward(self, x: Tensor) -> Tensor:
        """`[N,1,H,W]` -> `[N,2]`."""
        assert x.shape[1] == 1
        return nn.functional.adaptive_avg_pool2d(x, (1, 2)).flatten(1)


class Flat(nn.Module):
    """Takes pictures of the one size that it has weights for."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.last = nn.Linear(inputs, 2)

    def forward(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` -> `[N,2]`."""
        out: Tensor = self.last(x.flatten(1))
        return out


def written(network: nn.Module) -> None:
    """In the file net.pt, with its branches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's successor has no file that needs no code
        torch.jit.save(torch.jit.script(network), "net.pt")


def asked(run, *features: str) -> tuple[int, str, str]:
    options = [word for text in features for word in ("--features", text)]
    code, out, err = run("evaluate", "--real", "real", "--fake", "made", *options, "-o", "json")
    return code, out, err.strip().removeprefix("error: ")


def test_colour_is_read_as_grey_for_a_module_of_one_channel(run, place):
    written(Grey())
    code, out, err = asked(run, "net=net.pt,channels=1")
    assert code == 0, err
    assert "kid[net]" in json.loads(out)["scores"]
    file = place / "real/0.png"
    colour, grey = (
        torch.tensor(read_picture(file, None, channels)).permute(2, 0, 1)[None] / 127.5 - 1 for channels in (3, 1)
    )
    assert torch.equal(Shown(channels=1).to_module(colour), Shown(channels=1).to_module(grey))


def test_a_module_of_colours_that_is_said_to_take_grey_is_refused(run, place):
    written(Flat(3 * HEIGHT * WIDTH))
    code, _, err = asked(run, "net=net.pt,channels=1")
    assert code == 2
    assert err.startswith(f"--features: net does not take float [N,1,{HEIGHT},{WIDTH}]: ")


def test_a_module_is_tried_on_pictures_as_they_are(run, place):
    written(Flat(3 * HEIGHT * WIDTH))
    assert asked(run, "net=net.pt")[0] == 0
    written(Flat(3 * WIDTH * WIDTH))
    assert asked(run, "net=net.pt")[2].startswith(f"--features: net does not take float [N,3,{HEIGHT},{WIDTH}]: ")


class Baked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1)[:, :5].reshape(2, 5)


class Eight(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 8:
            raise ValueError("eight are too many")
        return x.flatten(1)[:, :3]


class Counting(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, : x.shape[0]]


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :0]


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.fft.fft(x.flatten(1))[:, :3]
        return out


@pytest.mark.parametrize(
    ("network", "line"),
    [
        (Baked(), f"net does not take float [1,3,{HEIGHT},{WIDTH}]: "),
        (Eight(), f"net does not take float [8,3,{HEIGHT},{WIDTH}]: "),
        (
            Counting(),
            "net gives 1 features for 1 pictures, and 2 features for 2: these must not hang on how many there are",
        ),
        (Nothing(), "net gives features of shape [2, 0] for 2 pictures, not [2,...]"),
        (Spectrum(), "net gives features of shape [2, 3], complex numbers, for 2 pictures, not [2,...]"),
    ],
)
def test_a_module_that_would_fall_over_later_is_refused_at_once(run, place, network, line):
    written(network)
    code, out, err = asked(run, "net=net.pt")
    assert (code, out) == (2, "")
    assert err.startswith(f"--features: {line}")


class Four(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 4:
            raise ValueError("four are too many")
        return x.flatten(1)[:, :3]


class FourBaked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] if x.shape[0] != 4 else x.reshape(7, 3)


@pytest.mark.parametrize(("network", "last"), [(Four(), "four are too many"), (FourBaked(), "is invalid for input of")])
def test_a_module_that_falls_over_all_the_same_is_told_of(run, place, network, last):
    written(network)
    code, out, err = asked(run, "net=net.pt")
    assert (code, out) == (2, "")
    assert (
        err.startswith("--features: a network that took the pictures it was tried on fails on others: ") and last in err
    )


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] * float("nan")


def test_what_is_not_finite_has_no_value(run, place):
    written(Broken())
    code, out, err = asked(run, "net=net.pt")
    told = json.loads(out)
    assert code == 0, err
    assert told["scores"].keys() == {"collapse"}
    assert told["notes"][-1] == "not finite, so without a value: fid[net], kid[net]"


@pytest.mark.parametrize(
    ("features", "line"),
    [
        (("net=a.pt", "net=b.pt"), "two networks are called net; name one otherwise"),
        (("net=a.pt,image=8,image=16",), "image is given twice; keep one of them"),
        (("net=a.pt,channels=2",), "channels=2 is not understood; write channels=1 or channels=3"),
        (("net=a.pt,range=1:0",), "range=1:0 is not understood; write range=0:1"),
        (("net=real",), "real is not there, or no file"),
    ],
)
def test_what_cannot_be_asked_for(run, place, features, line):
    assert asked(run, *features) == (2, "", f"--features: {line}")


def test_a_file_that_may_not_be_read_is_told_with_its_option(run, place, monkeypatch):
    def forbidden(uri: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    (place / "net.pt").write_bytes(as_file(Tiny(), HEIGHT))
    monkeypatch.setattr("cluster.features.read_module", forbidden)
    assert asked(run, "net=net.pt") == (2, "", "--features: net.pt cannot be read: permission denied")
