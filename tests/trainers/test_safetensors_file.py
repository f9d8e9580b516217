"""The format is the library's, in both directions; a header that lies is refused, whatever it says."""

import hashlib
import json
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from trainers.safetensors_file import DTYPES, Malformed, read_tensors, write_tensors


def every_type():
    """A tensor of each type, none of a size that keeps the next one aligned by itself."""
    tensors = {f"t.{name}": torch.arange(1, 4).to(dtype) for name, dtype in DTYPES.items()}
    return tensors | {'é " \\ /../': torch.tensor(-0.0), "none": torch.zeros(2, 0, 3), "nan": torch.tensor([torch.nan])}


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert (tensor.dtype, tensor.shape) == (other[name].dtype, other[name].shape), name
        assert torch.equal(tensor.reshape(-1).view(torch.uint8), other[name].reshape(-1).view(torch.uint8)), name


def test_the_library_reads_what_is_written_and_the_other_way_round(tmp_path):
    tensors = every_type()
    size, sha256 = write_tensors(tensors, tmp_path / "ours")
    content = (tmp_path / "ours").read_bytes()
    assert (size, sha256) == (len(content), hashlib.sha256(content).hexdigest())
    length = int.from_bytes(content[:8], "little")
    starts = {
        name: 8 + length + entry["data_offsets"][0] for name, entry in json.loads(content[8 : 8 + length]).items()
    }
    assert not [name for name, start in starts.items() if start % tensors[name].element_size()], "all are aligned"
    same(load_file(tmp_path / "ours"), tensors)
    save_file(tensors, tmp_path / "theirs", metadata={"by": "the library"})
    read, sha256 = read_tensors(tmp_path / "theirs")
    same(read, tensors)
    assert sha256 == hashlib.sha256((tmp_path / "theirs").read_bytes()).hexdigest()
    same(read_tensors(tmp_path / "ours")[0], tensors)


def test_equal_tensors_make_equal_bytes(tmp_path):
    tensors = every_type()
    write_tensors(tensors, tmp_path / "one")
    strided = {n: t.repeat_interleave(2)[::2] if t.shape == (3,) else t for n, t in reversed(tensors.items())}
    write_tensors(strided, tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def with_header(header, content=b"\0" * 12):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def entry(dtype="F32", shape=(3,), offsets=(0, 12)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


LIES = {
    "nothing": (b"", "its header is longer than can be"),
    "seven bytes": (b"\0" * 7, "its header is longer than can be"),
    "a header as long as can be said": (b"\xff" * 8, "its header is longer than can be"),
    "a header beyond the end": ((100).to_bytes(8, "little") + b"{}", "its header is longer than can be"),
    "no JSON": (with_header(b"{"), "its header cannot be read"),
    "a list": (with_header([]), "its header cannot be read"),
    "nested too deep": (with_header(b'{"a":' * 100_000), "its header cannot be read"),
    "no entry": (with_header({"a": 1}), "its header cannot be read"),
    "offsets of nothing": (with_header({"a": {**entry(), "data_offsets": []}}), "its header cannot be read"),
    "offsets without end": (
        with_header(b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,1e999]}}'),
        "cannot be read",
    ),
    "unknown type": (with_header({"a": entry("F128")}), "'a' is of a type unknown here: 'F128'"),
    "a type of types": (with_header({"a": entry(["F32"])}), "'a' is of a type unknown here"),
    "a huge shape": (with_header({"a": entry(shape=[2**62, 2**62])}), "'a' has no shape that can be"),
    "huge but empty": (with_header({"a": entry(shape=[0, 2**40, 2**40])}), "'a' has no shape that can be"),
    "many dimensions": (with_header({"a": entry(shape=[1] * 65)}), "'a' has no shape that can be"),
    "less than nothing": (with_header({"a": entry(shape=[-1, -3])}), "'a' has no shape that can be"),
    "half a pixel": (with_header({"a": entry(shape=[1.5, 2])}), "'a' has no shape that can be"),
    "more than there is": (
        with_header({"a": entry(shape=[10**12], offsets=[0, 4 * 10**12])}),
        "'a' does not lie where",
    ),
    "another size": (with_header({"a": entry(shape=[2])}), "'a' does not lie where its shape says"),
    "backwards": (with_header({"a": entry(offsets=[12, 0])}), "'a' does not lie where its shape says"),
    "before the start": (with_header({"a": entry(offsets=[-12, 0])}), "'a' does not lie where its shape says"),
    "on top of each other": (with_header({"a": entry(), "b": entry()}), "'b' does not lie where its shape says"),
    "a hole": (with_header({"a": entry("U8", [6], [0, 6]), "b": entry("U8", [5], [7, 12])}), "'b' does not lie where"),
    "bytes left over": (with_header({"a": entry("U8", [3], [0, 3])}), "its header tells of 3 bytes, 12 are there"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_costs_nothing(lie, tmp_path):
    content, problem = LIES[lie]
    (tmp_path / "x").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(Malformed) as caught:
        read_tensors(tmp_path / "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem in str(caught.value)
    assert peak < 20_000_000


@settings(max_examples=300, deadline=None)
@given(
    cut=st.integers(0, 40),
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=6),
)
def test_any_other_content_is_read_or_refused(tmp_path_factory, cut, flips):
    file = tmp_path_factory.getbasetemp() / "any"
    write_tensors({"a": torch.arange(3), "b": torch.ones(2, 2), "c": torch.tensor(True)}, file)
    content = bytearray(file.read_bytes())
    for place, bits in flips:
        content[place % len(content)] ^= bits
    file.write_bytes(content[: len(content) - cut])
    try:
        tensors, _ = read_tensors(file)
    except Malformed:
        return
    assert sum(tensor.nbytes for tensor in tensors.values()) <= len(content)
