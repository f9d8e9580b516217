"""Addresses are read once, strictly, and told back in one form."""

from pathlib import Path

import pytest

from data_shards.address import is_remote, join, parse
from data_shards.errors import DataError
from data_shards.store import open_store


def test_local_addresses(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}/with%20space").uri == f"{tmp_path}/with space"
    assert open_store(str(tmp_path)).uri == str(tmp_path)
    with pytest.raises(DataError, match="gs://b/k: gs:// is neither a folder of this machine nor s3://"):
        open_store("gs://b/k")
    with pytest.raises(DataError, match="names another host, far"):
        open_store("file://far/k")


def test_the_parts_of_an_address() -> None:
    uri = "s3://bucket/deep/er/?region=eu-west-1&endpoint=http%3A%2F%2Fhost%3A80&deadline=5m&addressing=path&profile=me"
    address = parse(uri)
    assert (address.bucket, address.prefix, address.deadline) == ("bucket", "deep/er", 300.0)
    told = "s3://bucket/deep/er?addressing=path&deadline=5m&endpoint=http://host:80&profile=me&region=eu-west-1"
    assert str(address) == told
    assert str(parse(told)) == told
    assert str(parse("s3://bucket/")) == "s3://bucket"
    assert parse("s3://bucket?deadline=1.5h").deadline == 5400.0


def test_what_is_remote() -> None:
    assert is_remote("s3://bucket") and is_remote("S3://bucket?x")
    assert not any(is_remote(uri) for uri in ("s3", "./s3://b", "/a/b", "file:///a", Path("s3:/b")))


@pytest.mark.parametrize(
    ("uri", "path", "joined"),
    [
        ("s3://bucket", "a/b", "s3://bucket/a/b"),
        ("s3://bucket/c/?region=x", "a", "s3://bucket/c/a?region=x"),
        ("/some/where/", "a/b", "/some/where/a/b"),
        ("file:///some%20where", "a b", "file:///some%20where/a%20b"),
    ],
)
def test_a_child_keeps_the_options(uri: str, path: str, joined: str) -> None:
    assert join(uri, path) == joined


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://", r"s3:// names no bucket; write s3://bucket/prefix\?endpoint=http://host:port"),
        ("s3:///prefix", "s3:///prefix names no bucket"),
        ("s3://My_Bucket/x", r"s3://My_Bucket/x: 'My_Bucket' is not the name of a bucket \(3 to 63 of a-z"),
        (
            "s3://127.0.0.1:8333/x",
            r"'127.0.0.1:8333' is not the name of a bucket .* a server is named with \?endpoint=",
        ),
        ("s3://127.0.0.1/x", "'127.0.0.1' is not the name of a bucket"),
        ("s3://bucket/a//b", r"s3://bucket/a//b: no part of a path may be empty, . or \.\."),
        ("s3://bucket/../b", "no part of a path may be empty"),
        ("s3://bucket/\0", r"'s3://bucket/\\x00' holds characters that cannot be shown"),
        (
            "s3://bucket?regoin=x",
            "s3://bucket: no option is called 'regoin'; nearest: region; has: addressing, deadline",
        ),
        ("s3://bucket?region=x&region=y", "the option region stands twice; give it once"),
        ("s3://bucket?region", "region is empty; it means: such as us-east-1"),
        ("s3://bucket?endpoint=host:80", "endpoint must be http://host:port or https://host:port, not 'host:80'"),
        ("s3://bucket?endpoint=http://host:99999", "endpoint is no address of a server"),
        ("s3://bucket?addressing=virtaul", "addressing must be one of auto, path, virtual, not 'virtaul'"),
        ("s3://bucket?deadline=soon", "deadline must be a time such as 90s, 5m or 1h, not 'soon'"),
        ("s3://bucket?deadline=0s", "deadline must be a time such as 90s, 5m or 1h, not '0s'"),
    ],
)
def test_a_bad_address_is_told(uri: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as failure:
        open_store(uri)
    assert "\n" not in str(failure.value)


# pragma: allowlist nextline secret
@pytest.mark.parametrize("uri", ["s3://key:SECRET@bucket/x", "s3://bucket?endpoint=http://key:SECRET@host"])
def test_credentials_in_an_address_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(DataError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") as failure:
        open_store(uri)
    assert "SECRET" not in str(failure.value).replace("AWS_SECRET_ACCESS_KEY", "")
