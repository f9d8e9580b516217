"""A small data set known by its manifest alone, and sweeps over it: a plan reads no pictures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from data_shards.manifest import FILE, Head, Row, Shard, manifest_bytes
from orchestrator import cli
from orchestrator.errors import Refusal
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.yaml_file import parse_yaml
from tests.orchestrator.logs import START, Log

MakeShards = Callable[..., Path]
SMALL_MACHINE = Machine(cpus=4, gpus=0)


@pytest.fixture(scope="session")
def make_shards(tmp_path_factory: pytest.TempPathFactory) -> MakeShards:
    """make_shards(a=(3, 72, 72), b=...): a folder with a manifest.

    `paired=False` gives no key to two domains; `named`: the shard's bytes.
    """

    def make(
        *, paired: bool = True, train: int = 90, validation: int = 10, named: int = 0, **shapes: tuple[int, int, int]
    ) -> Path:
        shapes = shapes or {"a": (3, 72, 72), "b": (3, 72, 72)}
        rows = [
            Row("0.tar", 0, 9, f"{i}" if paired else f"{domain}{i}", domain, None, None, split, 0)
            for domain in shapes
            for split, numbers in (("train", range(train)), ("validation", range(train, train + validation)))
            for i in numbers
        ]
        shards = {"0.tar": Shard(named, "")} if named else {}
        folder = tmp_path_factory.mktemp("shards")
        (folder / FILE).write_bytes(manifest_bytes(Head("toy", shapes, shards, (), {}), rows))
        return folder

    return make


@pytest.fixture(scope="session")
def shards(make_shards: MakeShards) -> Path:
    """90 + 10 true pairs of 72 x 72 colour pictures."""
    return make_shards()


@pytest.fixture
def values(shards: Path) -> Callable[[str], dict[str, Any]]:
    """The values of a small sweep; keys in the text given replace its own."""

    def read(text: str = "") -> dict[str, Any]:
        base: dict[str, Any] = {
            "system": "cyclegan",
            "data": {"uri": str(shards), "image": 64, "batch": 4},
            "steps": 1000,
        }
        more: dict[str, Any] = parse_yaml(text, "sweep.yaml") if text else {}
        data = {**base["data"], **more.pop("data", {})}
        return {**base, "data": data, **more}

    return read


@pytest.fixture
def planned(values: Callable[[str], dict[str, Any]]) -> Callable[..., Plan]:
    """planned("search: {...}"): the plan of the small sweep with these keys, on a machine of 4 CPUs."""

    def plan(text: str = "", **options: Any) -> Plan:
        options = {"machine": SMALL_MACHINE, **options}
        return make_plan(read_draft(values(text)), "sweep.yaml", **options)

    return plan


@pytest.fixture
def refused(planned: Callable[..., Plan]) -> Callable[..., list[str]]:
    """refused("weights: {x: 1}"): the lines of the refusal of the small sweep with these keys."""

    def lines(text: str, **options: Any) -> list[str]:
        with pytest.raises(Refusal) as caught:
            planned(text, **options)
        return caught.value.lines()

    return lines


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[Any, str, str]]:
    """run("plan", "x.yaml") -> (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        monkeypatch.setattr(sys, "argv", ["i2i-cluster", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


@pytest.fixture
def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """A log in a folder, unless a test asks for S3; it is read two minutes after its start."""
    monkeypatch.setattr("orchestrator.running.status.time.time", lambda: START + 120)
    is_remote = getattr(request, "param", "folder") == "s3"
    return Log(request.getfixturevalue("bucket") if is_remote else str(tmp_path))


@pytest.fixture
def driver(log: Log, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """driver(f, g, ...): this process drives the sweep; each wait of a command does the next thing, the last one lets go."""
    with ExitStack() as held:

        def drive(*happens: Callable[[], None]) -> None:
            held.enter_context(log.driven())
            coming = iter([*happens, held.close])
            monkeypatch.setattr("time.sleep", lambda seconds: next(coming)())

        yield drive
