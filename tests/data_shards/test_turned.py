from pathlib import Path

import numpy as np
import pytest

from data_shards.build import turned
from data_shards.build.openmoji import LICENSE, installed
from data_shards.build.openmoji_svg import rasterise
from data_shards.build.turned import build_turned
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown

QUARTERS = (0, 90, 180, 270)
CAR, GRIN = "1f697", "1f600"


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The data set in four angles of the 24."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turned, "ANGLES", QUARTERS)
        return Manifest.open(build_turned(str(tmp_path_factory.mktemp("turned") / "shards"), size=36).uri)


def test_vehicles_and_faces_each_at_every_angle(quarters: Manifest) -> None:
    assert {name: (d.channels, d.height, d.width) for name, d in quarters.domains.items()} == {
        "a": (3, 36, 36),
        "b": (3, 36, 36),
    }
    assert quarters.head.classes == ("000", "090", "180", "270")
    assert quarters.head.license == LICENSE
    assert not quarters.pairs("train") and not quarters.pairs("validation")
    for domain, count in (("a", 33), ("b", 109)):
        keys = quarters.keys(domain, "train") + quarters.keys(domain, "validation")
        assert len(keys) == len(QUARTERS) * count
        assert all(key.endswith(f"-{quarters.row(domain, key).cls}") for key in keys)


def test_all_angles_of_an_emoji_are_on_one_side(quarters: Manifest) -> None:
    for domain in ("a", "b"):
        train, validation = (
            {key.partition("-")[0] for key in quarters.keys(domain, side)} for side in ("train", "validation")
        )
        assert train and validation and not train & validation
        assert 0.05 < len(validation) / len(train | validation) < 0.4


@pytest.mark.parametrize(("domain", "name"), [("a", CAR), ("b", GRIN)])
def test_angles_grow_counter_clockwise(quarters: Manifest, domain: str, name: str) -> None:
    upright = shown(quarters, domain, f"{name}-000", 36).astype(float)
    for times, angle in enumerate(QUARTERS):
        off = [
            np.abs(shown(quarters, domain, f"{name}-{angle:03d}", 36) - np.rot90(upright, k)).mean() for k in range(4)
        ]
        assert int(np.argmin(off)) == times
        assert off[times] < 2, "apart from rounding it is the same picture"


def test_nothing_is_cut_off_at_any_angle() -> None:
    names = {emoji.path.stem.lower(): emoji for emoji in installed()}
    for name in ("1f927", "1f973", "1f688", "1f3ce"):  # of those that are drawn, the farthest from the middle
        for angle in (0, 30, 45, 60):
            pixels = np.asarray(rasterise(turned.turned(names[name].path.read_text("utf-8"), angle), 144))
            assert min(pixels[0].min(), pixels[-1].min(), pixels[:, 0].min(), pixels[:, -1].min()) == 255


def test_there_are_24_angles() -> None:
    assert [f"{angle:03d}" for angle in turned.ANGLES][:3] == ["000", "015", "030"]
    assert (len(turned.ANGLES), turned.ANGLES[-1]) == (24, 345)


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a size of 7 pixels is not in 8\.\.1024; OpenMoji is drawn on a grid of 72"):
        build_turned(str(tmp_path / "out"), size=7)
    with pytest.raises(DataError, match=r"a validation share of 1 is not in \[0, 1\)"):
        build_turned(str(tmp_path / "out"), validation=1)
    assert not (tmp_path / "out").exists()
