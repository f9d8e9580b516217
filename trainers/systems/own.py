"""A system of the user's own, made from the text of a Python file: `FILE.py:CLASS`, or `FILE.py` where it holds one system alone.

The text travels with the run, so that every worker trains what was checked, whatever became of the file. It is run as any module
is: who submits it may do on the cluster whatever the cluster's processes may.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import sys
import traceback
from contextlib import redirect_stdout
from types import ModuleType

from trainers.settings import OWN, Reads, Term
from trainers.system import System

LONGEST = 1_000_000  # characters of a file: it is kept with each checkpoint
NEEDED = ("reads", "terms", "shows", "Hyper")
# What the top of somebody's file may raise.
BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, NameError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
)


class NotASystem(ValueError):
    """The file holds no system, or one that cannot be trained: one line, with the file and the line where that is known."""


def is_own(system: str) -> bool:
    """Whether `system` names a file, and no system of the catalogue."""
    return OWN.fullmatch(system) is not None


@functools.lru_cache(maxsize=8)
def own_system(system: str, code: str) -> type[System]:
    """The class that `system`, `FILE.py:CLASS`, names in `code`, the file's text. Raises NotASystem."""
    match = OWN.fullmatch(system)
    assert match is not None
    file, wanted = match["file"], match["kind"]
    module = _imported(file, code)
    found = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, System) and value.__module__ == module.__name__
    }
    stages = {stage.system for value in found.values() for stage in value.stages}
    whole = [name for name, value in found.items() if value not in stages]
    if wanted and wanted not in found:
        raise NotASystem(f"{file} has no system {wanted}; it has: {', '.join(found) or 'none, no class is a System'}")
    if not wanted and len(whole) != 1:
        has = f"several, {', '.join(whole)}: name one, as {file}:{whole[0]}" if whole else "none: no class is a System"
        raise NotASystem(f"{file} holds {has}")
    kind = found[wanted or whole[0]]
    for one in (kind, *(stage.system for stage in kind.stages)):
        _check(file, one)
    return kind


def _imported(file: str, code: str) -> ModuleType:
    """The file as a module, under a name that its text decides."""
    name = f"own_{hashlib.sha256(f'{file} {code}'.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if len(code) > LONGEST:
        raise NotASystem(f"{file} has {len(code):,} characters; at most {LONGEST:,}: leave data out of it")
    module = ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module  # dataclasses look for it there
    try:
        with redirect_stdout(sys.stderr):  # stdout may be JSON for programs
            exec(compile(code, file, "exec"), module.__dict__)
    except (*BROKEN, SystemExit) as error:  # nor may it end the program
        del sys.modules[name]
        raise NotASystem(f"{file}{line_of(error, file)}: {_words(error)}") from error
    return module


def line_of(error: BaseException, file: str) -> str:
    """`:LINE` of the file in which it was raised; empty where that is not known."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f":{lines[-1]}" if lines else ""


def _words(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _check(file: str, kind: type[System]) -> None:
    """NotASystem where a class lacks what every system declares. Gives it the names that it may do without."""
    where = f"{file}: {kind.__name__}"
    for name, usual in (("name", kind.__name__.lower()), ("title", kind.__name__), ("citation", file)):
        if not hasattr(kind, name):
            setattr(kind, name, usual)
    lacking = [name for name in NEEDED if not hasattr(kind, name)]
    lacking += sorted(f"{name}()" for name in getattr(kind, "__abstractmethods__", ()))
    if lacking:
        raise NotASystem(f"{where} lacks {', '.join(lacking)}")
    if not isinstance(kind.reads, Reads):
        raise NotASystem(f"{where}.reads must be Reads((domain, ...), paired=...), not {kind.reads!r}")
    if not (isinstance(kind.terms, tuple) and kind.terms and all(isinstance(term, Term) for term in kind.terms)):
        raise NotASystem(f"{where}.terms must be a tuple of Term(name, symbol, weight, meaning)")
    names = [term.name for term in kind.terms]
    if twice := {name for name in names if names.count(name) > 1}:
        raise NotASystem(f"{where}.terms has {', '.join(sorted(twice))} twice")
    if not dataclasses.is_dataclass(kind.Hyper):
        raise NotASystem(f"{where}.Hyper must be a dataclass, its fields made by setting(default, meaning)")
    if plain := [field.name for field in dataclasses.fields(kind.Hyper) if "doc" not in field.metadata]:
        raise NotASystem(f"{where}.Hyper: {', '.join(plain)} must be made by setting(default, meaning)")
