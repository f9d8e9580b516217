"""YAML text to plain values, for files that people write by hand.

YAML 1.1, which the yaml package speaks, reads `1e-3` as text, `on` as true, `6:30` as 390 and the second of
two equal keys as the only one. So the parser is used for the structure alone; scalars follow YAML 1.2 and
equal keys are refused. A value that cannot be read does not end the reading: what is wrong is told at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.errors import Refusal, nearest, refuse, show

TAG = "tag:yaml.org,2002:"
MOST_VALUES = 100_000  # in a file, with every alias written out
DEEPEST = 100  # levels of lists and mappings; Python's own limit is any other library's to change
TOO_DEEP = "not valid YAML for a sweep: nested too deeply"
DIGITS = r"[0-9]+(?:_[0-9]+)*"
LONGEST_HEX = 1_000  # characters
# In this order: a scalar takes the first kind that matches it, so whole numbers come before numbers.
KINDS = {
    "null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(rf"[-+]?(?:0x[0-9a-fA-F]+|{DIGITS})\Z"),
    "float": re.compile(
        rf"[-+]?(?:(?:{DIGITS}\.?(?:{DIGITS})?|\.{DIGITS})(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
    ),
}


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalar rules above instead of YAML 1.1's."""

    yaml_implicit_resolvers = {None: [(TAG + kind, known) for kind, known in KINDS.items()]}  # noqa: RUF012


class Unreadable:
    """Stands where a value was that could not be read. No reader of values takes it."""


@dataclass(frozen=True)
class Written:
    """What stands in a file: keys are text, values plain scalars, lists and mappings, in its order. `found`: what is wrong with
    some of them. Of a key that was given twice the first value counts."""

    values: dict[str, object]
    found: list[Refusal]


def read_yaml(path: Path) -> dict[str, object]:
    """The mapping in the file at `path`: keys are text, values plain scalars, lists and mappings.

    Raises:
        Refusal: the file cannot be read, is not UTF-8, is empty, is not YAML, gives a key twice or holds no
        mapping.
    """
    return parse_yaml(_read_text(path), str(path))


def parse_yaml(text: str, file: str) -> dict[str, object]:
    """The mapping that `text` spells, `file` in refusals. Raises Refusal like `read_yaml`."""
    written = parse(text, file)
    refuse(written.found, file)
    return written.values


def written_in(path: Path) -> Written:
    """What can be read of the file at `path`. Raises Refusal for a file without a mapping."""
    return parse(_read_text(path), str(path))


def parse(text: str, file: str) -> Written:
    """What can be read of `text`, `file` in refusals. Raises Refusal where it spells no mapping."""
    try:
        root = _compose(text, file)
        if root is None:
            raise Refusal("the file is empty", file=file)
        if not isinstance(root, yaml.MappingNode):
            raise Refusal("must hold `key: value` lines at its top level, not a list or a single value", file=file)
        values = _Values(file)
        return Written(values.mapping(root, "", ()), values.found)
    except RecursionError as error:  # brackets within brackets
        raise Refusal(TOO_DEEP, file=file) from error


def _compose(text: str, file: str) -> yaml.Node | None:
    """The file's structure; None for one without content."""
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise Refusal(_syntax_problem(error), file=file) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"not valid YAML: line {line} holds the control character {error.character:#x}"
        raise Refusal(problem, file=file) from error


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        folder = path.parent
        others = folder.glob("*.y*ml") if folder.is_dir() else ()
        beside = [str(other) for other in others if other != path]  # it is there itself where it may not be read
        problem = f"cannot be read: {(error.strerror or 'error').lower()}"
        raise Refusal(problem, file=str(path), nearest=nearest(str(path), beside)) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"not UTF-8 text: byte {raw[error.start]:#04x} in line {line}; save the file as UTF-8"
        raise Refusal(problem, file=str(path)) from error


def _syntax_problem(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"not valid YAML: {where}{error.problem or error.context}"


class _Values:
    """Turns the nodes of one file into values, and counts them: ten lines of aliases can stand for a billion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._left = MOST_VALUES
        self.found: list[Refusal] = []

    def mapping(self, node: yaml.MappingNode, path: str, above: tuple[yaml.Node, ...]) -> dict[str, object]:
        """The values of a mapping at the dotted `path`, inside the nodes `above`."""
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                problem = f"line {line}: a key must be a single word, not a list or a mapping"
                self.found.append(Refusal(problem, file=self._file, path=path))
                continue
            key = key_node.value
            inner = f"{path}.{key}" if path else key
            if key in lines:
                problem = f"key given twice, in line {lines[key]} and in line {line}"
                self.found.append(Refusal(problem, file=self._file, path=inner, value=key))
                continue
            lines[key] = line
            values[key] = self._value(value_node, inner, (*above, node))
        return values

    def _value(self, node: yaml.Node, path: str, above: tuple[yaml.Node, ...]) -> object:
        if any(node is outer for outer in above):
            return self._unreadable("an alias that contains itself", path)
        if len(above) > DEEPEST:
            raise Refusal(TOO_DEEP, file=self._file)
        # A long text counts for more: repeated by aliases, it would fill the memory once it is shown.
        self._left -= 1 + (len(node.value) // 1000 if isinstance(node, yaml.ScalarNode) else 0)
        if self._left < 0:
            raise Refusal(
                f"more than {MOST_VALUES:,} values, aliases written out: no sweep has as many", file=self._file
            )
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
            return self.mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
            return [self._value(item, f"{path}.{i}", (*above, node)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node.tag.removeprefix(TAG), node.value)
            except ValueError:  # `!!int` before text, a tag nobody defined, or a number of thousands of digits
                return self._unreadable(f"cannot be read as {node.tag.removeprefix(TAG)}: {show(node.value)}", path)
        return self._unreadable(f"unknown tag {show(node.tag)}", path)

    def _unreadable(self, problem: str, path: str) -> Unreadable:
        self.found.append(Refusal(problem, file=self._file, path=path))
        return Unreadable()


def _scalar(kind: str, text: str) -> object:
    if kind == "str":
        return text
    if kind not in KINDS or not KINDS[kind].match(text):
        raise ValueError(kind)
    if kind == "null":
        return None
    if kind == "bool":
        return text.casefold() == "true"
    if kind == "int":
        if "x" in text and len(text) > LONGEST_HEX:  # Python refuses long decimal numbers by itself
            raise ValueError(kind)
        return int(text, 16) if "x" in text else int(text)
    return float(re.sub(r"\.(inf|nan)", r"\1", text.casefold()))  # Python spells YAML's .inf without the dot
