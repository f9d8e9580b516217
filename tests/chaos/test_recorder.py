"""The table of what was killed says what happened, failed runs included."""

import pytest

from tests.chaos.recorder import BEGIN, EMPTY, END, record, replaced, table


def test_a_table_counts_failures_too(tmp_path):
    first = [{"kind": "worker", "seconds": 12.0}, {"kind": "driver", "seconds": 20.0}]
    results = [(True, first), (False, [{"kind": "worker", "seconds": 14.0}])]
    made = table(results, "2030-01-02", "abc")
    assert made.startswith("2030-01-02, commit abc, ")
    assert "; 1 of 2 runs passed." in made
    assert made.endswith("| worker | 2 | 1 | 13.0 s | 14.0 s |\n| driver | 1 | 1 | 20.0 s | 20.0 s |")
    file = tmp_path / "reliability.md"
    record(results, file)
    first_text = file.read_text()
    record(results[:1], file)
    assert file.read_text().count("| worker |") == 1
    assert "1 of 1 runs passed" in file.read_text() != first_text


def test_what_is_around_the_marks_stays():
    assert replaced(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    assert replaced(EMPTY, "new").startswith("# Reliability\n")
    with pytest.raises(ValueError, match="marks"):
        replaced("no marks", "new")
