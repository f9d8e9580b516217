"""Every claim of docs/security.md names a test that exists, or says that it has none."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PAGE = (ROOT / "docs" / "security.md").read_text()


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(PAGE))))
def test_a_test_that_the_page_names_exists(file, name):
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def claims():
    """Rows of tables and points of lists, where claims are made."""
    for line in PAGE.splitlines():
        if line.startswith(("| a", "| `", "| pods", "| labels", "- An")):
            yield line


@pytest.mark.parametrize("claim", list(claims()), ids=lambda claim: claim[2:30])
def test_a_claim_has_a_test_or_says_that_it_has_none(claim):
    assert NAMED.search(claim) or "No test" in claim or claim.startswith("- An")
