"""What a system's module says of its paper, read from the docstring it opens with: nobody writes it twice.

The docstring is Markdown. Its first paragraph cites the paper, and its first indented block is the objective.
"""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass

from trainers.system import System

INDENT = "    "  # of a block of code in Markdown


@dataclass(frozen=True)
class Paper:
    """`cited`: the first paragraph, on one line. `objective`: the formula, without its indentation. `notes`: the rest."""

    cited: str
    objective: str
    notes: str


def read_paper(system: type[System]) -> Paper:
    """What the module of `system` says of its paper."""
    module = inspect.getmodule(system)
    assert module is not None
    return parse_paper(module.__doc__ or "")  # `python -OO` drops docstrings


def parse_paper(text: str) -> Paper:
    """The parts of a module's docstring; each is empty where there is none."""
    blocks = _blocks(text)
    cited = blocks.pop(0) if blocks and not _is_indented(blocks[0]) else ""
    objective = next(filter(_is_indented, blocks), "")
    if objective:
        blocks.remove(objective)
    return Paper(" ".join(cited.split()), textwrap.dedent(objective), "\n\n".join(blocks))


def _blocks(text: str) -> list[str]:
    """The text cut at its blank lines, apart from those between two indented parts."""
    found: list[str] = []
    for part in text.split("\n\n"):
        block = part.strip("\n").rstrip()
        if block and found and _is_indented(block) and _is_indented(found[-1]):
            found[-1] += f"\n\n{block}"
        elif block:
            found.append(block)
    return found


def _is_indented(block: str) -> bool:
    return all(line.startswith(INDENT) for line in block.splitlines() if line)
