from pathlib import Path

import pytest

from data_shards.build.digits import build_digits
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown


def test_digits(tmp_path: Path) -> None:
    report = build_digits(str(tmp_path / "digits"))
    manifest = Manifest.open(report.uri)
    assert report.shapes == {"a": "28x28x1", "b": "8x8x1"}
    assert manifest.head.classes == tuple("0123456789")
    assert report.pairs == {"train": 0, "validation": 0}
    assert {domain: sum(counts.values()) for domain, counts in report.pictures.items()} == {"a": 5000, "b": 1797}
    assert all(0.05 < c["validation"] / sum(c.values()) < 0.15 for c in report.pictures.values())
    # White ink on black, and a 0 that is hollow in both sets: the tables were read in the right shape.
    for domain, key in (("a", "mnist-0000"), ("b", "optdigits-0000")):
        assert manifest.row(domain, key).cls == "0"
        pixels = shown(manifest, domain, key, 28)[:, :, 0]
        assert pixels[14, 14] < 60 < 120 < pixels[:, 4:24].max()
        assert pixels[:, 0].max() < 60


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a size of 500 pixels is not in 8\.\.256"):
        build_digits(str(tmp_path / "out"), size=500)
