"""The repository keeps its promises: links lead somewhere, packages are pinned, functions stay short.

The tree is walked on disk, not asked of git, so that an exported copy can be checked too. Each check takes
the root to look at and returns what it found; the second half of this file plants a breach of each kind.
"""

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
CODE = ("orchestrator", "trainers", "data_shards", "cluster")
FILE_LINES = 300
FUNCTION_LINES = 70  # a function must stay under this

# Written by the product, or by tools, below the root of a checkout.
NOT_OURS = {"build", "dist", "shards", "i2i-runs"}
DOT_FOLDERS = {".ci", ".github"}

# A CUDA build of torch pins these itself, exactly; other builds do not have them.
PINNED_BY_TORCH = re.compile(r"nvidia-|cuda-|triton$")

# Imported name -> distribution, where they differ by more than case and underscores. botocore and
# pydantic_core are distributions too, but each comes with its upper half, which chooses the version.
DISTRIBUTION = {
    "PIL": "pillow",
    "botocore": "boto3",
    "mlflow": "mlflow-skinny",
    "pydantic_core": "pydantic",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

MACHINE_PATH = re.compile(r"(?<![\w.$}~])/(?:work|root|Users|home/(?!ray\b)\w+)/\w")


def files(root: Path, *suffixes: str) -> Iterator[Path]:
    """Files of the repository with one of the suffixes (any, if none is given), sorted, without caches."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(f for f in folders if is_ours(f, top=here == root))
        for name in sorted(names):
            if not suffixes or Path(name).suffix in suffixes:
                yield here / name


def is_ours(folder: str, top: bool) -> bool:
    if folder.startswith("."):
        return folder in DOT_FOLDERS
    return folder != "__pycache__" and not folder.endswith(".egg-info") and not (top and folder in NOT_OURS)


def nodes(file: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file)))


def text_of(file: Path) -> str | None:
    """The file's text, None where it is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


# [text](target "title"), [name]: target, and what HTML says.
LINK = re.compile(r"\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)


def broken_links(root: Path) -> list[str]:
    """Relative links and pictures in Markdown files that lead to nothing. Code is skipped."""
    found = []
    for file in files(root, ".md"):
        prose = re.sub(r"^(```|~~~).*?^\1|`[^`\n]+`", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)
        for groups in LINK.findall(prose):
            target = "".join(groups).partition("#")[0]
            if target and not re.match(r"[a-z]+:", target) and not (file.parent / target).exists():
                found.append(f"{file.relative_to(root)}: {target}")
    return found


def requirements(root: Path) -> list[Requirement]:
    """What pyproject.toml asks for, in all its extras."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


def pins(root: Path) -> dict[NormalizedName, str]:
    """Name -> version in constraints.txt; a line that is not `name==version` is an AssertionError."""
    pinned: dict[NormalizedName, str] = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.!]*)", line)
            assert match, f"constraints.txt: {line!r} is not a plain name==version"
            name = canonicalize_name(match[1])
            assert name not in pinned, f"constraints.txt: {name} stands twice"
            pinned[name] = match[2]
    return pinned


def unpinned(root: Path) -> list[str]:
    """Direct dependencies without a pin, or with a pin that pyproject.toml does not allow."""
    pinned = pins(root)
    found = []
    for need in requirements(root):
        version = pinned.get(canonicalize_name(need.name))
        if version is None:
            found.append(f"{need.name} is not in constraints.txt")
        elif not need.specifier.contains(version, prereleases=True):
            found.append(f"{need.name}=={version} in constraints.txt is not {need.specifier}")
    return found


def unpinned_below(root: Path) -> list[str]:
    """What the installed direct dependencies pull in, at any depth, without a pin."""
    pinned = pins(root)
    found, seen = set(), set()
    todo = [(need.name, extra) for need in requirements(root) for extra in ("", *need.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen or PINNED_BY_TORCH.match(name):
            continue
        seen.add((name, extra))
        if canonicalize_name(name) not in pinned:
            found.add(name)
        for need in map(Requirement, metadata.distribution(name).requires or ()):
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                todo += [(need.name, further) for further in ("", *need.extras)]
    return sorted(found)


def undeclared_imports(root: Path) -> list[str]:
    """Third-party modules that the product imports and pyproject.toml does not name."""
    declared = {canonicalize_name(need.name) for need in requirements(root)}
    known = {*sys.stdlib_module_names, *CODE}
    found = []
    for file in product_files(root):
        for node in nodes(file):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in {n.partition(".")[0] for n in names} - known:
                if canonicalize_name(DISTRIBUTION.get(name, name)) not in declared:
                    found.append(f"{file.relative_to(root)}: {name}")
    return found


def product_files(root: Path) -> Iterator[Path]:
    return (file for file in files(root, ".py") if file.relative_to(root).parts[0] in CODE)


def machine_paths(root: Path) -> list[str]:
    """Lines that name a folder of somebody's machine."""
    found = []
    for file in files(root):
        for number, line in enumerate((text_of(file) or "").splitlines(), 1):
            if MACHINE_PATH.search(line) or str(root) in line:
                found.append(f"{file.relative_to(root)}:{number}: {line.strip()}")
    return found


def long_files(root: Path) -> list[str]:
    found = []
    for file in files(root, ".py", ".sh"):
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES:
            found.append(f"{file.relative_to(root)}: {lines} lines")
    return found


def long_functions(root: Path) -> list[str]:
    found = []
    for file in outside_tests(root):
        for node in nodes(file):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines >= FUNCTION_LINES:
                    found.append(f"{file.relative_to(root)}:{node.lineno}: {node.name}, {lines} lines")
    return found


def outside_tests(root: Path) -> Iterator[Path]:
    return (file for file in files(root, ".py") if file.relative_to(root).parts[0] != "tests")


def blind_excepts(root: Path) -> list[str]:
    """Handlers that catch everything. `except BaseException` may clean up, if a bare `raise` ends it."""
    found = []
    for file in outside_tests(root):
        for node in nodes(file):
            if isinstance(node, ast.ExceptHandler) and catches_everything(node):
                found.append(f"{file.relative_to(root)}:{node.lineno}")
    return found


def catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(kind).removeprefix("builtins.") if kind else "" for kind in kinds}
    last = handler.body[-1]
    passes_on = isinstance(last, ast.Raise) and last.exc is None
    return bool(names & {"", "Exception"}) or ("BaseException" in names and not passes_on)


CHECKS = (
    broken_links,
    unpinned,
    unpinned_below,
    undeclared_imports,
    machine_paths,
    long_files,
    long_functions,
    blind_excepts,
)


@pytest.mark.parametrize("check", CHECKS)
def test_the_repository(check):
    assert check(ROOT) == []


PYPROJECT = '[project]\ndependencies = ["numpy>=2"]\n[project.optional-dependencies]\ntest = ["pytest"]\n'
FINE = {
    "pyproject.toml": PYPROJECT,
    "constraints.txt": "numpy==2.4.6\npytest==9.2.0\n",
    "a.md": "[a](a.md#x)",
}


@pytest.mark.parametrize(
    ("check", "path", "text", "found"),
    [
        (broken_links, "docs/b.md", "see [c](../c.md)", "docs/b.md: ../c.md"),
        (broken_links, "b.md", 'a ![grid](docs/grid.png "title")', "b.md: docs/grid.png"),
        (broken_links, "b.md", "[one][1]\n\n[1]: missing.md#part", "b.md: missing.md"),
        (unpinned, "constraints.txt", "numpy==2.4.6", "pytest is not in constraints.txt"),
        (unpinned, "constraints.txt", "numpy==1.26.4\npytest==9.2.0", "numpy==1.26.4"),
        (unpinned_below, "constraints.txt", "numpy==2.4.6\npytest==9.2.0", "pluggy"),
        (undeclared_imports, "cluster/x.py", "def f():\n    import yaml", "cluster/x.py: yaml"),
        (machine_paths, "x.yaml", "storage: /home" + "/ann/runs", "x.yaml:1: storage"),
        (long_files, "tests/x.py", "\n" * 301, "tests/x.py: 301 lines"),
        (long_functions, "trainers/x.py", "def f():\n" + "    pass\n" * 69, "trainers/x.py:1: f, 70 lines"),
        (blind_excepts, "cluster/x.py", "try:\n    f()\nexcept Exception:\n    raise", "cluster/x.py:3"),
        (
            blind_excepts,
            "cluster/x.py",
            "try:\n    f()\nexcept (OSError, Exception):\n    g()",
            "cluster/x.py:3",
        ),
        (blind_excepts, "benchmarks/x.py", "try:\n    f()\nexcept:\n    g()", "benchmarks/x.py:3"),
        (blind_excepts, "cluster/x.py", "try:\n    f()\nexcept BaseException:\n    g()", "cluster/x.py:3"),
    ],
)
def test_a_breach_is_found(tmp_path, check, path, text, found):
    for name, content in {**FINE, path: text}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert any(line.startswith(found) for line in check(tmp_path))


@pytest.mark.parametrize("check", [check for check in CHECKS if check is not unpinned_below])
def test_what_is_allowed_is_not_a_breach(tmp_path, check):
    allowed = {
        ".venv/lib/x.py": "try:\n    f()\nexcept Exception:\n    pass",
        "shards/x.md": "[gone](gone.md)",
        "b.md": "[web](https://example.org/x) [up](a.md)\n```\n[code](nowhere.md)\n```\n",
        "cluster/x.py": "import os, numpy.random\ntry:\n    f()\nexcept BaseException:\n    g()\n    raise",
        "tests/x.py": "try:\n    f()\nexcept Exception:\n    pass",
        "trainers/x.py": "def f():\n" + "    pass\n" * 68,
    }
    for name, content in {**FINE, **allowed}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert check(tmp_path) == []


@pytest.mark.parametrize("line", ["torch==2.13.0+cpu", "numpy>=2", "--extra-index-url https://example.org", "a @ b"])
def test_a_constraint_is_a_plain_pin(tmp_path, line):
    (tmp_path / "constraints.txt").write_text(line, encoding="utf-8")
    with pytest.raises(AssertionError, match="is not a plain name==version"):
        pins(tmp_path)
