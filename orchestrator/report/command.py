"""What `i2i-cluster report` does: check, write, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import Refusal
from orchestrator.finding import find_sweep
from orchestrator.report.pictures import Advance
from orchestrator.saying import say
from orchestrator.sweep_file.quantities import size_text

WORTH_A_BAR = 20  # pictures; fewer are read before anybody wonders


def write_page(name: str, storage: str, file: Path | None) -> None:
    """Write the page of a sweep and print where it lies. Raises Refusal, and what the store does."""
    from orchestrator.report.report import PACKAGES, check_packages, check_place, default_file, write_report

    check_packages(*PACKAGES)
    if file is not None:
        check_place(file)  # before a remote storage is asked
    sweep = find_sweep(name, storage)
    place = default_file(sweep) if file is None else file
    check_place(place)
    with _bar("pictures") as advance:
        pictures = write_report(sweep, place, advance)
    for text in pictures.damaged:
        say(f"left out as damaged: {text}", aside=True)
    if pictures.recoded:
        kept = sum(map(len, pictures.of.values()))
        say(f"{kept} of {pictures.found} pictures are in it, compressed, so that it stays small", aside=True)
    say(f"report: {place} ({size_text(place.stat().st_size)})")


def write_tensorboard(name: str, storage: str, folder: Path, file: Path | None) -> None:
    """Write TensorBoard's logs of a sweep and print where they lie. Raises Refusal, and what the store does."""
    from orchestrator.report.report import check_packages
    from orchestrator.report.tensorboard import NEEDS, write_events

    if file is not None:
        raise Refusal("a page or logs, one at a time; leave one of them out", path="--output", value=str(file))
    check_packages(*NEEDS)
    if folder.exists() and not folder.is_dir():
        raise Refusal("is a file; name a folder", path="--tensorboard", value=str(folder))
    sweep = find_sweep(name, storage)
    with _bar("trials") as advance:
        damaged, trials = write_events(sweep, folder, advance)
    for text in damaged:
        say(f"left out as damaged: {text}", aside=True)
    say(f"logs of {trials} trial{'' if trials == 1 else 's'}: {folder}    # tensorboard --logdir {folder}")


def send_mlflow(name: str, storage: str, uri: str, file: Path | None, tensorboard: Path | None) -> None:
    """Send a sweep's trials to an MLflow tracking server and print what was new. Raises Refusal, TrackingFailed, and what the
    store does."""
    from orchestrator.report.mlflow_runs import send_runs
    from orchestrator.report.mlflow_server import check_client, read_server

    for option, given in (("--output", file), ("--tensorboard", tensorboard)):
        if given is not None:
            raise Refusal("a page, logs or runs, one at a time; leave one of them out", path=option, value=str(given))
    check_client()
    server = read_server(uri)
    sweep = find_sweep(name, storage)
    with _bar("trials") as advance:
        sent = send_runs(sweep, server, advance)
    for text in sent.damaged:
        say(f"left out as damaged: {text}", aside=True)
    if sent.no_files:
        say(f"the server has no pictures and results: {sent.no_files}", aside=True)
    said = f"experiment {sent.experiment} of {server.uri}"
    say(
        f"runs of {sent.runs} trial{'' if sent.runs == 1 else 's'}: {said}    # {sent.new} new, and {sent.numbers:,} numbers"
    )


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    """Shows how far the pictures are, on a terminal, where there are many."""
    import sys

    from rich.console import Console
    from rich.progress import Progress

    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None, visible=False)
        yield lambda done, of: bars.update(task, completed=done, total=of, visible=of >= WORTH_A_BAR)
