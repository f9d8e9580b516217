"""What is printed in lines: text that others wrote (names, paths, errors) is shown, and never obeyed by the terminal.

A name of a log that somebody handed on, or of a file, may hold escape sequences: they would colour, move or hide what stands
beside them. Tables and refusals go through `visible` themselves; all other lines through `say`.
"""

from __future__ import annotations

import re
import sys

# Control characters but for tab and line feed, line and paragraph separators, marks that turn the direction of writing, and
# halves of surrogate pairs, which no encoding takes.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with what steers a terminal written out, such as \\x1b."""
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def say(line: str, *, aside: bool = False) -> None:
    """Print a line at once; aside: to standard error, where it is no answer but a remark or an error."""
    print(visible(line), file=sys.stderr if aside else sys.stdout, flush=True)
