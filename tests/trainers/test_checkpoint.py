"""A checkpoint is whole or it is refused by name, and nothing in it can be executed."""

import hashlib
import json
import pickle

import pytest
import torch

from tests.trainers.worlds import engine
from trainers import checkpoint
from trainers.checkpoint import FORMAT, MANIFEST, STATE, DamagedCheckpoint, pack, unpack
from trainers.state import digest, load_state, named_state

ABOUT = {"evaluation": {"eval/l1": 0.25}, "train_seconds": 1.5}


def small():
    return {"model.w": torch.arange(6.0).reshape(2, 3), "counter.step": torch.tensor(4), "none": torch.zeros(0, 3)}


@pytest.fixture
def files():
    """A checkpoint's files by name."""
    return dict(pack(small(), 4, ABOUT).files)


def state_of(engine):
    """The whole training state."""
    state = named_state(engine)
    assert state is not None
    return state


def opened(files):
    return unpack(files[MANIFEST], lambda name: files[name])


def with_manifest(files, /, **changes):
    """The files with entries of the manifest changed by somebody who knows how to sign it."""
    manifest = json.loads(files[MANIFEST])
    body = manifest["body"] | changes
    signed = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return files | {MANIFEST: json.dumps(manifest | {"body": body, "sha256": signed}).encode()}


@pytest.mark.parametrize("hyper", [{}, {"pool": 0, "ema": 0.9}])
def test_a_whole_training_state_comes_back(hyper):
    of = engine("cyclegan", hyper=hyper, ema=hyper.get("ema", 0.0))
    of.step()
    state = state_of(of)
    packed = pack(state, of.t, ABOUT)
    assert list(packed.files)[-1] == MANIFEST, "what commits it is written last"
    found = opened(packed.files)
    assert (found.step, found.digest, dict(found.about)) == (1, digest(state), ABOUT)
    assert digest(found.state) == packed.digest == found.digest
    fresh = engine("cyclegan", hyper=hyper, ema=hyper.get("ema", 0.0))
    load_state(fresh, found.state)
    assert digest(state_of(fresh)) == packed.digest


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


def test_every_flipped_byte_of_the_state_is_named(files):
    for place in range(len(files[STATE])):
        broken = bytearray(files[STATE])
        broken[place] ^= 1
        with pytest.raises(DamagedCheckpoint, match=f"{STATE}: its SHA-256 is not the manifest's"):
            opened(files | {STATE: bytes(broken)})


def test_every_flipped_bit_of_the_manifest_is_named_or_changes_nothing(files):
    whole = opened(files)
    unnoticed = []
    for place in range(8 * len(files[MANIFEST])):
        broken = bytearray(files[MANIFEST])
        broken[place // 8] ^= 1 << place % 8
        try:
            found = opened(files | {MANIFEST: bytes(broken)})
        except DamagedCheckpoint:
            continue
        if (found.step, found.digest, found.about) != (whole.step, whole.digest, whole.about):
            unnoticed.append(bytes(broken))
    assert not unnoticed, f"{len(unnoticed)} flips, the first gives {unnoticed[0].decode()}"


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (lambda state: state[:-1], r"\d+ bytes, the manifest says \d+"),
        (lambda state: state + b"\0", r"\d+ bytes, the manifest says \d+"),
        (lambda state: b"", r"0 bytes, the manifest says \d+"),
    ],
)
def test_a_state_of_the_wrong_size_is_named(files, payload, problem):
    with pytest.raises(DamagedCheckpoint, match=f"^{STATE}: {problem}$"):
        opened(files | {STATE: payload(files[STATE])})


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[]", "not a checkpoint's manifest"),
        (b'{"format": 1}', "not a checkpoint's manifest"),
        (b'{"format": "1", "sha256": "", "body": {}}', "not a checkpoint's manifest"),
        (b'{"format": 1, "sha256": "", "body": {}}', "its SHA-256 is not the one it names"),
    ],
)
def test_a_manifest_that_is_none_is_named(files, raw, problem):
    with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: {problem}"):
        opened(files | {MANIFEST: raw})


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": [STATE]},
        {"files": {STATE: None}},
        {"files": {STATE: {"sha256": "0"}}},
        {"step": None},
    ],
)
def test_a_manifest_of_the_wrong_form_is_named(files, changes):
    with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: "):
        opened(with_manifest(files, **changes))


def forged(monkeypatch, **constants):
    """A checkpoint whose manifest agrees with itself, made by a packer that means something else."""
    with monkeypatch.context() as patched:
        for name, value in constants.items():
            patched.setattr(checkpoint, name, value)
        return dict(pack(small(), 4, ABOUT).files)


def test_a_newer_format_is_refused_plainly(monkeypatch):
    problem = f"{MANIFEST}: format {FORMAT + 1} is newer than {FORMAT}: upgrade i2i-cluster"
    with pytest.raises(DamagedCheckpoint, match=problem):
        opened(forged(monkeypatch, FORMAT=FORMAT + 1))


@pytest.mark.parametrize("name", ["../../state.safetensors", "/etc/passwd", "model.pkl", f"./{STATE}"])
def test_a_manifest_cannot_name_other_files(files, monkeypatch, name):
    asked = []

    def read(name):
        asked.append(name)
        return b""

    with pytest.raises(DamagedCheckpoint, match=f"{MANIFEST}: names files other than {STATE}"):
        unpack(forged(monkeypatch, STATE=name)[MANIFEST], read)
    known = json.loads(files[MANIFEST])["body"]["files"]
    with pytest.raises(DamagedCheckpoint, match=f"^{MANIFEST}: "):
        unpack(with_manifest(files, files=known | {name: known[STATE]})[MANIFEST], read)
    assert not asked, "nothing was read"


def test_a_pickle_is_refused_without_being_executed(monkeypatch, tmp_path):
    class Payload:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    for payload in (pickle.dumps(Payload()), b"\x80\x04.", b""):
        with pytest.raises(DamagedCheckpoint, match=f"^{STATE}: "):
            opened(forged(monkeypatch, save=lambda state, payload=payload: payload))
    assert not (tmp_path / "executed").exists()


def test_a_state_of_another_run_is_not_taken_over():
    state = state_of(engine("cyclegan"))
    with pytest.raises(RuntimeError, match="size of tensor"):
        load_state(engine("cyclegan", hyper={"width": 8}), state)
    with pytest.raises(KeyError):
        load_state(engine("cyclegan"), {n: t for n, t in state.items() if not n.startswith("pool.1.")})
