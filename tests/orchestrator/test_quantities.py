"""Counts, times and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweep_file.quantities import (
    duration_text,
    read_count,
    read_duration,
    read_number,
    read_size,
    size_text,
)


@pytest.mark.parametrize(
    ("written", "count"), [(1, 1), (20_000, 20_000), (2e4, 20_000), ("20k", 20_000), ("1.1k", 1100), ("2 M", 2_000_000)]
)
def test_counts(written, count):
    assert read_count(written) == count


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("45s", 45), ("90m", 5400), ("6h", 21600), ("1h30m", 5400), ("1.5 h", 5400), ("2D", 172800)],
)
def test_durations(written, seconds):
    assert read_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "size"), [("500MB", 500 * 10**6), ("4GiB", 4 * 2**30), ("1.5 kB", 1500), ("9b", 9)]
)
def test_sizes(written, size):
    assert read_size(written) == size


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, None, "many", "1.5", "0.0001k", [1], float("inf"), float("nan"), "20_000"]
)
def test_what_is_no_count(value):
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        read_count(value)


@pytest.mark.parametrize("value", [6, "6", "h", "6x", "6h?", "", None, True])
def test_what_is_no_duration(value):
    with pytest.raises(ValueError, match="must be a time with its unit"):
        read_duration(value)


@pytest.mark.parametrize("value", [4, "4", "4 GBs", "GB", "4ib", None])
def test_what_is_no_size(value):
    with pytest.raises(ValueError, match="must be a size with its unit"):
        read_size(value)


def test_a_time_of_nothing_is_refused():
    with pytest.raises(ValueError, match="must be longer than 0 s, not '0h'"):
        read_duration("0h")


@pytest.mark.parametrize("value", [True, "1", None, float("inf"), float("nan"), 10**400])
def test_what_is_no_number(value):
    with pytest.raises(ValueError, match="must be a number"):
        read_number(value)


@given(st.integers(1, 10**8))
def test_a_duration_is_written_as_it_would_be_read(seconds):
    assert abs(read_duration(duration_text(seconds)) - seconds) < max(60, 0.05 * seconds)


@given(st.integers(1, 10**14))
def test_a_size_is_written_as_it_would_be_read(size):
    assert read_size(size_text(size)) == pytest.approx(size, rel=0.01)


@pytest.mark.parametrize("value", [1e13, 10**400, "9" * 400 + "k"])
def test_a_count_beyond_the_largest_is_told_with_it(value):
    with pytest.raises(ValueError, match=r"must be at most 100, not .{1,62}$"):
        read_count(value, 100)


def test_sizes_and_times_have_a_top():
    with pytest.raises(ValueError, match="must be at most 1000TB, not '9999"):
        read_size("9" * 400 + "TB")
    with pytest.raises(ValueError, match="must be at most 36500d, not '9999"):
        read_duration("9" * 400 + "d")
