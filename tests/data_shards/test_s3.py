"""What only S3 can get wrong: who may do what, versions, checksums, and the words for each refusal."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, SSLError

from data_shards.counters import COUNTS, since
from data_shards.errors import DataError
from data_shards.s3.errors import meaning
from data_shards.s3.store import S3Store
from data_shards.s3.upload import Upload
from data_shards.store import Store, open_store
from data_shards.transfer import Transient
from tests.faults import Request, by_seed, faulty, first
from tests.seaweed import BUCKET, Seaweed

CONTENT = random.Random(0).randbytes(20 << 20)


def s3(uri: str) -> S3Store:
    store = open_store(uri)
    assert isinstance(store, S3Store)
    return store


def key(store: S3Store, path: str) -> dict[str, str]:
    return {"Bucket": store.address.bucket, "Key": f"{store.address.prefix}/{path}"}


EVERY_USE: dict[str, Callable[[Store, Path], object]] = {
    "read": lambda store, _: store.read("one"),
    "read_range": lambda store, _: store.read_range("one", 0, 1),
    "exists": lambda store, _: store.exists("one"),
    "list": lambda store, _: store.list("one"),
    "download": lambda store, folder: store.download("one", folder / "target", 20 << 20),
    "write": lambda store, _: store.write("one", b"1"),
    "create": lambda store, _: store.create("one", b"1"),
    "delete": lambda store, _: store.delete("one"),
}
READS = list(EVERY_USE)[:5]


@pytest.mark.parametrize("use", EVERY_USE)
def test_wrong_credentials_are_told_at_once(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    before = COUNTS.snapshot()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DataError, match=r"^s3://shards/.* check the credentials: AWS_ACCESS_KEY_ID") as failure:
        EVERY_USE[use](s3(bucket), tmp_path)
    assert "\n" not in str(failure.value)
    assert not [name for name in since(before) if name.startswith("retries")]


def test_the_word_for_each_wrong_credential(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(DataError, match="the secret key does not belong to the access key; check the credentials"):
        s3(bucket).read("one")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(DataError, match="the server does not know this access key; check the credentials"):
        s3(bucket).read("one")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DataError, match=r"no credentials for S3 .*; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        s3(bucket).read("one")
    with pytest.raises(DataError, match=r"The config profile .nobody. could not be found; name one of ~/.aws/config"):
        s3(f"{bucket}&profile=nobody").read("one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not an address")
    with pytest.raises(DataError, match=r"s3://shards: S3 cannot be set up: .*; check the AWS_ variables"):
        s3("s3://shards").read("one")


def test_a_profile_and_an_endpoint_of_the_config_file_serve(
    seaweed: Seaweed, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3(bucket).write("one", b"1")
    config = tmp_path / "config"
    keys = f"aws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
    keys += f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
    config.write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {seaweed.endpoint}\n{keys}", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert s3(f"{bucket.partition('?')[0]}?profile=lab").read("one") == b"1"


@pytest.mark.parametrize("use", READS)  # SeaweedFS makes a bucket that is written to
def test_a_missing_bucket_is_no_missing_object(seaweed: Seaweed, bucket: str, tmp_path: Path, use: str) -> None:
    with pytest.raises(DataError, match=r"^s3://nowhere.*: there is no such bucket; make it, or correct its name"):
        EVERY_USE[use](s3(seaweed.uri("nowhere")), tmp_path)


def _answer(status: int, code: str, **headers: str) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": meta}, "GetObject")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (_answer(400, "ExpiredToken"), "the session token has expired; get new credentials and submit again"),
        (_answer(403, "RequestTimeTooSkewed"), "the clock of this machine is wrong by minutes; set it"),
        (_answer(403, "AccessDenied"), r"access denied; check the credentials: .* \(HTTP 403, AccessDenied: words\)"),
        (_answer(403, "403"), r"access denied; .* \(HTTP 403\)"),
        (
            _answer(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-1"}),
            r"the bucket is in another region; name it with \?region=eu-west-1 ",
        ),
        (_answer(400, "AuthorizationHeaderMalformed"), r"in another region; name it with \?region=NAME or AWS_REGION"),
        (_answer(400, "KeyTooLongError"), "the server refuses the request .HTTP 400, KeyTooLongError: words."),
        (_answer(501, "NotImplemented"), "the server refuses the request .HTTP 501"),
        (NoCredentialsError(), r"no credentials for S3 .* name a profile of ~/.aws/credentials with \?profile=NAME"),
        (
            SSLError(endpoint_url="x", error="[SSL: CERTIFICATE_VERIFY_FAILED]"),
            "certificate is not trusted .* AWS_CA_BUN",
        ),
        (SSLError(endpoint_url="x", error="[SSL: WRONG_VERSION_NUMBER]"), "does not speak TLS; write .* http://"),
    ],
)
def test_what_the_user_must_mend(failure: Exception, told: str) -> None:
    meant = meaning(failure, "s3://bucket/one")
    assert isinstance(meant, DataError)
    with pytest.raises(DataError, match=rf"^s3://bucket/one: .*{told}"):
        raise meant


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (_answer(500, "InternalError"), "status_5xx"),
        (_answer(503, "503"), "status_5xx"),
        (_answer(503, "SlowDown"), "throttled"),
        (_answer(429, "429"), "throttled"),
        (_answer(400, "RequestTimeout"), "timeout"),
        (_answer(400, "BadDigest"), "corrupt"),
        (_answer(409, "ConditionalRequestConflict"), "conflict"),
        (SSLError(endpoint_url="x", error="EOF occurred in violation of protocol"), "reset"),
    ],
)
def test_what_is_tried_again(failure: Exception, cause: str) -> None:
    meant = meaning(failure, "s3://bucket/one")
    assert isinstance(meant, Transient)
    assert meant.cause == cause
    assert f"retries_{cause}" in COUNTS.snapshot()


def test_only_the_version_that_was_asked_for_is_read(bucket: str, tmp_path: Path) -> None:
    store = s3(bucket)
    store.write("one", b"first")
    etag = store.entries()["one"].etag
    assert store.read_range("one", 1, 2, etag) == store.read_range("one", 1, 2, f'"{etag}"') == b"ir"
    store.write("one", b"other")
    told = "one .*is not the version that was described, or was replaced while it was read; stop whatever writes it"
    with pytest.raises(DataError, match=told):
        store.read_range("one", 1, 2, etag)
    with pytest.raises(DataError, match=told):
        store.download("one", tmp_path / "target", 5, etag)
    store.delete("one")
    with pytest.raises(FileNotFoundError):
        store.read_range("one", 1, 2, etag)


@pytest.mark.parametrize("pinned", [True, False])
def test_an_object_replaced_between_its_parts_is_noticed(
    seaweed: Seaweed, bucket: str, tmp_path: Path, pinned: bool
) -> None:
    written = s3(bucket)
    written.write("one", CONTENT)

    def replace(request: Request) -> None:
        if request.number == 1:
            seaweed.client().put_object(**key(written, "one"), Body=CONTENT[::-1])

    with faulty(seaweed.endpoint, replace) as proxy:
        store = s3(proxy.uri(f"{BUCKET}/{written.address.prefix}"))
        etag = written.entries()["one"].etag if pinned else ""
        with pytest.raises(DataError, match="was replaced while it was read"):
            store.download("one", tmp_path / "target", len(CONTENT), etag)


def test_a_whole_read_of_what_is_being_replaced_is_one_version(seaweed: Seaweed, bucket: str) -> None:
    written = s3(bucket)
    written.write("one", CONTENT)

    def replace_and_break(request: Request) -> str | None:
        if request.number == 1:
            seaweed.client().put_object(**key(written, "one"), Body=CONTENT[::-1])
        return "truncate" if request.number == 0 else None

    with faulty(seaweed.endpoint, replace_and_break) as proxy:
        assert s3(proxy.uri(f"{BUCKET}/{written.address.prefix}")).read("one") == CONTENT[::-1]
        assert proxy.done["truncate"] == 1


def test_a_create_whose_answer_got_lost_is_known_by_its_maker(seaweed: Seaweed, bucket: str) -> None:
    place = bucket.partition("?")[0].removeprefix("s3://")
    with faulty(seaweed.endpoint, first("lost")) as proxy:
        assert s3(proxy.uri(place)).create("lease", b"same")
        assert proxy.done["lost"] == 1
    with faulty(seaweed.endpoint, first("lost")) as proxy:
        assert not s3(proxy.uri(place)).create("lease", b"same")  # somebody else's, though the bytes are ours


def test_a_server_that_lets_everyone_come_first_is_refused(seaweed: Seaweed, bucket: str) -> None:
    plain = s3(bucket)

    def forget(request: Request) -> None:  # the object that the first request made, as if there were no condition
        if request.number == 1:
            seaweed.client().delete_object(**key(plain, "lease"))

    with faulty(seaweed.endpoint, forget) as proxy:
        store = s3(proxy.uri(f"{BUCKET}/{plain.address.prefix}"))
        with pytest.raises(
            DataError, match=r"lease .*the server does not keep to If-None-Match, so that two processes"
        ):
            store.create("lease", b"1")
        asked = len(proxy.requests)
        assert store.create("other", b"1") and store.create("third", b"1")
        assert len(proxy.requests) == asked + 3  # one question, the first time that it is answered well


@pytest.mark.parametrize("size", [5_000, 20 << 20])
def test_damage_is_told_from_a_bad_line(seaweed: Seaweed, bucket: str, tmp_path: Path, size: int) -> None:
    store, client = s3(bucket), seaweed.client()
    store.write("one", CONTENT[:size])
    metadata = client.head_object(**key(store, "one"))["Metadata"]
    client.put_object(**key(store, "one"), Body=b"\0" + CONTENT[1:size], Metadata=metadata)
    told = rf"one .*is damaged: bytes 0 to {min(size, 8 << 20)} do not fit the checksum stored with it, read 6 times"
    before = COUNTS.snapshot()
    with pytest.raises(OSError, match=told):
        store.read("one")
    with pytest.raises(OSError, match=told):
        store.download("one", tmp_path / "target", size)
    assert since(before)["retries_corrupt"] == 10


def test_an_object_of_another_hand_is_checked_by_its_etag(seaweed: Seaweed, bucket: str) -> None:
    written = s3(bucket)
    seaweed.client().put_object(**key(written, "one"), Body=CONTENT[:5000])
    with faulty(seaweed.endpoint, by_seed(0, 0.5, ["flip"])) as proxy:
        store = s3(proxy.uri(f"{BUCKET}/{written.address.prefix}"))
        assert [store.read("one") for _ in range(10)] == [CONTENT[:5000]] * 10
        assert proxy.done["flip"]


def test_an_upload_that_fails_leaves_nothing(seaweed: Seaweed, bucket: str) -> None:
    store, calls = s3(bucket), []

    def read(offset: int, size: int) -> bytes:
        calls.append(offset)
        if len(calls) > 30:  # the checksums are done, the parts are under way
            raise OSError("the disk is gone")
        return CONTENT[offset : offset + size]

    with pytest.raises(OSError, match="the disk is gone"):
        Upload(store._bucket, "one", len(CONTENT), read).run()
    assert not store.exists("one")
    listed = seaweed.client().list_multipart_uploads(Bucket=BUCKET, Prefix=store.address.prefix)
    assert listed.get("Uploads", []) == []


def test_a_file_that_changes_while_it_is_sent_is_noticed(bucket: str) -> None:
    store, calls = s3(bucket), []

    def read(offset: int, size: int) -> bytes:
        calls.append(offset)
        return (CONTENT if len(calls) <= 20 else CONTENT[::-1])[offset : offset + size]

    with pytest.raises(
        DataError, match=r"what is being sent to .*one.* was changed meanwhile; stop whatever writes it"
    ):
        Upload(store._bucket, "one", len(CONTENT), read).run()
    assert not store.exists("one")


def test_a_listing_of_many_pages_has_no_folders(seaweed: Seaweed, bucket: str) -> None:
    store = s3(bucket)
    names = [f"many/{i:04d}" for i in range(1100)]
    client = seaweed.client()
    for name in names:
        client.put_object(**key(store, name), Body=b"")
    client.put_object(**key(store, "many/folder/"), Body=b"")  # what a console makes of "new folder"
    assert store.list("many/") == names
