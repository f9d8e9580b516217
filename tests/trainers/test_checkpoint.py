"""A checkpoint is whole or it is refused by name, and nothing in it can be executed."""

import hashlib
import json
import os
import pickle
from dataclasses import replace

import pytest
import torch

from tests.trainers.worlds import engine
from trainers import checkpoint
from trainers.checkpoint import (
    FORMAT,
    MANIFEST,
    STATE,
    DamagedCheckpoint,
    Manifest,
    NewerFormat,
    read_state,
    write_state,
)
from trainers.state import digest, load_state, named_state

ABOUT = {"evaluation": {"eval/l1": 0.25}, "train_seconds": 1.5}


def small():
    return {"model.w": torch.arange(6.0).reshape(2, 3), "counter.step": torch.tensor(4), "none": torch.zeros(0, 3)}


def packed(folder, state, step=4, **changes):
    """The files of a checkpoint in a folder; its manifest."""
    size, sha256 = write_state(state, folder / STATE)
    manifest = replace(Manifest(step, digest(state), size, sha256, ABOUT, 12.5), **changes)
    (folder / MANIFEST).write_bytes(manifest.encode())
    return manifest


def opened(folder):
    """The state in a folder."""
    return read_state(folder / STATE, Manifest.decode((folder / MANIFEST).read_bytes()))


def signed(body):
    """A manifest with this body, by somebody who knows how to sign it."""
    sha256 = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return json.dumps({"format": FORMAT, "sha256": sha256, "body": body}).encode()


def forged(folder, content):
    """A state file of this content, and a manifest that agrees with it."""
    packed(folder, small(), size=len(content), sha256=hashlib.sha256(content).hexdigest())
    (folder / STATE).write_bytes(content)


def state_of(engine):
    """The whole training state."""
    state = named_state(engine)
    assert state is not None
    return state


@pytest.mark.parametrize("hyper", [{}, {"pool": 0, "ema": 0.9}])
def test_a_whole_training_state_comes_back(hyper, tmp_path):
    of = engine("cyclegan", hyper=hyper, ema=hyper.get("ema", 0.0))
    of.step()
    state = state_of(of)
    manifest = packed(tmp_path, state, of.t)
    assert Manifest.decode((tmp_path / MANIFEST).read_bytes()) == manifest
    found = opened(tmp_path)
    assert digest(found) == digest(state) == manifest.digest
    fresh = engine("cyclegan", hyper=hyper, ema=hyper.get("ema", 0.0))
    load_state(fresh, found)
    assert digest(state_of(fresh)) == manifest.digest


def test_the_digest_sees_names_types_shapes_and_bits():
    state = small()
    others = [
        {("renamed" if name == "none" else name): value for name, value in state.items()},
        state | {"counter.step": state["counter.step"].to(torch.int32)},
        state | {"model.w": state["model.w"].reshape(3, 2)},
        state | {"none": torch.zeros(3, 0)},
        state | {"model.w": state["model.w"].clone().index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(-0.0))},
    ]
    assert len({digest(state), *map(digest, others)}) == 6
    assert digest(dict(reversed(state.items()))) == digest(state)
    assert digest(state | {"model.w": state["model.w"].t().contiguous().t()}) == digest(state), "strides are no content"


def test_every_flipped_byte_of_the_state_is_named(tmp_path):
    packed(tmp_path, small())
    whole = (tmp_path / STATE).read_bytes()
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1
        (tmp_path / STATE).write_bytes(broken)
        with pytest.raises(DamagedCheckpoint, match=f"^{STATE}: "):
            opened(tmp_path)
    assert "its SHA-256 is not the manifest's" in str(damage(tmp_path, whole[:-1] + b"\x01"))


def damage(folder, content):
    """What is said about a state file of this content."""
    (folder / STATE).write_bytes(content)
    with pytest.raises(DamagedCheckpoint) as caught:
        opened(folder)
    return caught.value


def test_every_flipped_bit_of_the_manifest_is_named_or_changes_nothing():
    whole = Manifest(4, "d" * 64, 100, "a" * 64, ABOUT, 12.5)
    raw = whole.encode()
    unnoticed = []
    for place in range(8 * len(raw)):
        broken = bytearray(raw)
        broken[place // 8] ^= 1 << place % 8
        try:
            found = Manifest.decode(bytes(broken))
        except DamagedCheckpoint:
            continue
        if found != whole:
            unnoticed.append(bytes(broken))
    assert not unnoticed, f"{len(unnoticed)} flips, the first gives {unnoticed[0].decode()}"


def test_a_state_of_the_wrong_size_is_named(tmp_path):
    packed(tmp_path, small())
    whole = (tmp_path / STATE).read_bytes()
    for content in (whole[:-1], whole + b"\0", b""):
        told = f"{STATE}: {len(content)} bytes, the manifest says {len(whole)}"
        assert str(damage(tmp_path, content)) == told


def test_a_state_larger_than_the_machine_is_not_even_opened(tmp_path):
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + 1
    packed(tmp_path, small(), size=size)
    os.truncate(tmp_path / STATE, size)  # holes take no room
    with pytest.raises(DamagedCheckpoint, match=rf"^{STATE}: {size} bytes, and this machine has {size - 1} bytes of"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 1_000_000, "not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not JSON"),
        (b"[]", "not a checkpoint's manifest"),
        (b'{"format": 1}', "not a checkpoint's manifest"),
        (b'{"format": "1", "sha256": "", "body": {}}', "not a checkpoint's manifest"),
        (b'{"format": 1, "sha256": "", "body": {}}', "its SHA-256 is not the one it names"),
        (b'{"format": 1, "sha256": "", "body": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b" " * 64_000_001, "64000001 bytes, more than the 64000000 a manifest may have"),
        (signed({"step": 4}), "not a checkpoint's manifest"),
    ],
    ids=range(12),
)
def test_a_manifest_that_is_none_is_named(raw, problem):
    with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: {problem}"):
        Manifest.decode(raw)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": [STATE]},
        {"files": {STATE: None}},
        {"files": {STATE: {"sha256": "0"}}},
        {"files": {STATE: {"bytes": 1e999, "sha256": "0"}}},
        {"step": None},
        {"saved": "yesterday"},
        {"about": 3},
    ],
)
def test_a_manifest_of_the_wrong_form_is_named(changes):
    body = json.loads(Manifest(4, "d", 100, "a", ABOUT).encode())["body"] | changes
    with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: not a checkpoint's manifest$"):
        Manifest.decode(signed(body))


def test_a_newer_format_is_refused_plainly(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "FORMAT", FORMAT + 1)
        newer = Manifest(4, "d", 100, "a", ABOUT).encode()
    with pytest.raises(
        NewerFormat, match=f"{MANIFEST}: format {FORMAT + 1} is newer than {FORMAT}: upgrade i2i-cluster"
    ):
        Manifest.decode(newer)


def test_a_manifest_without_the_time_is_read():
    body = json.loads(Manifest(4, "d", 100, "a", ABOUT).encode())["body"]
    assert "saved" not in body, "as the first version wrote them"
    assert Manifest.decode(signed(body)) == Manifest(4, "d", 100, "a", ABOUT, None)


@pytest.mark.parametrize("name", ["../../state.safetensors", "/etc/passwd", "model.pkl", f"./{STATE}", f"a/{STATE}"])
def test_a_manifest_cannot_name_other_files(name):
    body = json.loads(Manifest(4, "d", 100, "a", ABOUT).encode())["body"]
    entry = body["files"][STATE]
    for files in ({name: entry}, {STATE: entry, name: entry}, {name: entry, STATE: entry}):
        with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: names files other than {STATE}$"):
            Manifest.decode(signed(body | {"files": files}))


def test_a_pickle_is_refused_without_being_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    torch.save({"model.w": Payload()}, tmp_path / "torch.pt")
    for content in (pickle.dumps(Payload()), b"\x80\x04.", b"", (tmp_path / "torch.pt").read_bytes()):
        forged(tmp_path, content)
        with pytest.raises(DamagedCheckpoint, match=f"^{STATE}: no safetensors file: its header "):
            opened(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_state_of_another_run_is_not_taken_over():
    state = state_of(engine("cyclegan"))
    with pytest.raises(RuntimeError, match="size of tensor"):
        load_state(engine("cyclegan", hyper={"width": 8}), state)
    with pytest.raises(KeyError):
        load_state(engine("cyclegan"), {n: t for n, t in state.items() if not n.startswith("pool.1.")})
