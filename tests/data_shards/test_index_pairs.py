"""Which pictures of other people's shards are pairs, which sides they get, and whose name an index keeps."""

import shutil
from pathlib import Path

import pytest

from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.index.names import DomainPattern, Domains
from data_shards.manifest import FILE, Manifest
from tests.data_shards.tars import picture, write_tar

TOLD = ("a=horses-*.tar", "b=zebras-*.tar")


def numbered(count: int, first: int = 0, extension: str = "png") -> dict[str, bytes]:
    return {f"{i:06d}.{extension}": picture(first + i) for i in range(count)}


@pytest.fixture
def lab(tmp_path: Path) -> str:
    """Two sets of shards that have nothing to do with one another, each counted from 0."""
    for shard in range(2):
        write_tar(tmp_path / f"lab/horses-{shard}.tar", numbered(5, 100 * shard))
        write_tar(tmp_path / f"lab/zebras-{shard}.tar", numbered(4, 1000 + 100 * shard))
    return str(tmp_path / "lab")


@pytest.fixture
def maps(tmp_path: Path) -> str:
    """Photos and their maps in shards of their own; one photo and two maps are alone."""
    photos, drawn = numbered(6), numbered(8, 500)
    del drawn["000003.png"]
    write_tar(tmp_path / "maps/horses-0.tar", photos)
    write_tar(tmp_path / "maps/zebras-0.tar", drawn)
    return str(tmp_path / "maps")


def refused(uri: str, **request) -> str:
    with pytest.raises(DataError) as caught:
        index(IndexRequest(uri, **request))
    (line,) = str(caught.value).splitlines()
    return line


def test_shards_that_tell_the_domains_make_no_pairs_unless_asked_to(lab: str) -> None:
    report = index(IndexRequest(lab, domains=TOLD))
    assert report.pairs == {"train": 0, "validation": 0}
    assert {domain: sum(counts.values()) for domain, counts in report.pictures.items()} == {"a": 10, "b": 8}
    assert report.notes == (
        "the shards' names tell the domains, so equal keys in different shards are no pairs: 4 (000000, 000001, 000002, "
        "...); --paired joins them",
    )
    manifest = Manifest.open(lab)
    assert manifest.row("a", "horses-1/000004").shard == "horses-1.tar"
    assert manifest.row("b", "zebras-0/000000").shard == "zebras-0.tar"
    assert index(IndexRequest(lab, domains=TOLD)).up_to_date
    assert refused(lab, domains=TOLD, paired=True) == (
        f"{lab}/{FILE} was made otherwise: paired False there, True wanted; --again replaces it"
    )


def test_keys_join_across_shards_if_asked_to_and_those_left_alone_are_told(maps: str) -> None:
    report = index(IndexRequest(maps, domains=TOLD, paired=True, validation=0))
    assert report.pairs["train"] == 5
    assert report.notes == (
        "keys of domain a without another side: 1 (000003)",
        "keys of domain b without another side: 2 (000006, 000007)",
    )
    assert Manifest.open(maps).pairs() == [f"{i:06d}" for i in (0, 1, 2, 4, 5)]
    assert index(IndexRequest(maps, domains=TOLD, paired=True, validation=0)).up_to_date


def test_what_cannot_be_joined_is_refused(lab: str) -> None:
    assert refused(lab, domains=TOLD, paired=True) == (
        f"{lab}: domain a has two pictures with the key '000000', in horses-0.tar and in horses-1.tar; --paired can only "
        "join keys that a domain has once"
    )
    assert refused(lab, domains=TOLD, paired=True, prefix_keys=True) == (
        "--paired joins equal keys of different shards and --prefix-keys makes them differ; give one"
    )


@pytest.mark.parametrize("patterns", [(), ("a=a.png", "b=b.png"), ("a=x-*.tar:a.png", "b=x-*:b.png")])
def test_extensions_of_one_sample_are_pairs_whether_asked_to_or_not(tmp_path: Path, patterns: tuple[str, ...]) -> None:
    write_tar(tmp_path / "x-0.tar", numbered(3, 0, "a.png") | numbered(3, 50, "b.png"))
    first = index(IndexRequest(str(tmp_path), domains=patterns, validation=0))
    assert (first.pairs["train"], first.notes) == (3, ())
    again = index(IndexRequest(str(tmp_path), domains=patterns, validation=0, paired=True))
    assert (again.up_to_date, again.sha256) == (True, first.sha256)


def test_pairs_in_one_shard_stay_beside_a_domain_of_other_shards(tmp_path: Path) -> None:
    write_tar(tmp_path / "x-0.tar", numbered(3, 0, "jpg") | numbered(3, 50, "png"))
    write_tar(tmp_path / "y-0.tar", numbered(3, 90, "png"))
    patterns = ("a=x-*.tar:jpg", "b=x-*.tar:png", "c=y-*.tar")
    index(IndexRequest(str(tmp_path), domains=patterns, validation=0))
    manifest = Manifest.open(str(tmp_path))
    assert len(manifest.join(["a", "b"])["a"]) == 3
    assert len(manifest.join(["a", "c"])["a"]) == 0


@pytest.mark.parametrize(
    ("patterns", "apart"),
    [([], False), (["a=jpg", "b=png"], False), (["a=x*.tar"], False), (["a=x*.tar", "b=y*.tar"], True),
     (["a=x*.tar:jpg", "b=png"], True), (["a=x*.tar:jpg", "a=y*.tar:jpg", "b=png"], False)],
)  # fmt: skip
def test_whether_shards_tell_domains(patterns: list[str], apart: bool) -> None:
    assert Domains(tuple(map(DomainPattern.read, patterns))).apart(["x0.tar", "y0.tar"]) is apart


def test_every_domain_has_both_sides(tmp_path: Path) -> None:
    for seed in range(6):
        folder = tmp_path / str(seed)
        write_tar(folder / "horses-0.tar", numbered(20, 10_000 * seed))
        write_tar(folder / "zebras-0.tar", numbered(20, 10_000 * seed + 500))
        report = index(IndexRequest(str(folder), domains=TOLD, validation=0.02))
        assert all(min(counts.values()) > 0 for counts in report.pictures.values()), report.pictures


def test_a_domain_that_cannot_be_divided_is_told(tmp_path: Path) -> None:
    write_tar(tmp_path / "x-0.tar", numbered(9, 0, "a.png") | {"x.b.png": picture(77), "y.b.png": picture(77)})
    report = index(IndexRequest(str(tmp_path), validation=0.3))
    (missing,) = (side for side, count in report.pictures["b"].items() if not count)
    assert report.notes == (
        f"domain b has no {missing} pictures: all that it has belong together (equal pictures, pairs or groups are never "
        "divided), so --validation cannot give it both sides",
    )
    assert index(IndexRequest(str(tmp_path), validation=0), again=True).notes == (), "as was asked for"


def test_a_copy_keeps_its_name_unless_another_is_given(lab: str, tmp_path: Path) -> None:
    first = index(IndexRequest(lab, domains=TOLD))
    copy = str(shutil.copytree(lab, tmp_path / "lab2"))
    again = index(IndexRequest(copy, domains=TOLD))
    assert (again.up_to_date, again.name, again.sha256) == (True, "lab", first.sha256)
    assert refused(copy, domains=TOLD, name="lab2") == (
        f"{copy}/{FILE} was made otherwise: name lab there, lab2 wanted; --again replaces it"
    )
    assert index(IndexRequest(copy, domains=TOLD), again=True).sha256 == first.sha256


def test_changed_shards_are_told_before_all_else(lab: str) -> None:
    index(IndexRequest(lab, domains=TOLD))
    damaged = bytearray(Path(lab, "zebras-1.tar").read_bytes())
    damaged[700] ^= 1
    Path(lab, "zebras-1.tar").write_bytes(damaged)
    for request in ({"name": "x"}, {"validation": 0.5}, {"domains": ("a=horses-0.tar", "b=zebras-0.tar")}):
        told = refused(lab, **{"domains": TOLD, **request})
        assert told.startswith(f"{lab}/{FILE} is of other shards: changed zebras-1.tar. An index of those"), told


def test_other_domains_are_not_told_as_other_shards(lab: str) -> None:
    index(IndexRequest(lab, domains=("a=horses-*.tar",), prefix_keys=True))
    assert refused(lab, domains=TOLD, prefix_keys=True) == (
        f"{lab}/{FILE} was made otherwise: domains ['a=horses-*.tar'] there, ['a=horses-*.tar', 'b=zebras-*.tar'] "
        "wanted; --again replaces it"
    )


def test_a_manifest_elsewhere_is_another_data_set_than_one_beside_its_shards(lab: str, tmp_path: Path) -> None:
    beside = index(IndexRequest(lab, domains=TOLD))
    elsewhere = index(IndexRequest(lab, domains=TOLD, out=str(tmp_path / "here")))
    assert elsewhere.sha256 != beside.sha256
