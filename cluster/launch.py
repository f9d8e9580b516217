"""`launch(job)`: one attempt at a sweep, on an embedded Ray or a running one. Nothing of an earlier attempt is needed but the log.

A fresh Tuner is built every time: Tuner.restore forgets rungs, counters and trials.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

# Read by ray when it is imported, or by the processes that it starts; what the user has set stands.
os.environ.update(
    {
        "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",  # a trial's goodbye may take this long before its actor is given up
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # of its own state, which grows with every trial and is never read
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # we save and end the trials ourselves
        "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    | dict(os.environ)
)

import ray
from ray import tune
from ray.exceptions import RayError

from cluster.checkpoints.cloning import clone
from cluster.conductor import Conductor
from cluster.deaths import told_to_tune
from cluster.growing import grown, grows, room_for
from cluster.job import ClusterTooSmall, Job
from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.records import SweepState
from cluster.log.store import open_log
from cluster.monitoring.exporter import exporting
from cluster.stop import StopRequest
from cluster.tune_bridge import ConductedScheduler, ConductedSearcher
from cluster.workers.group_trial import WorkerGroupTrial, grouping
from cluster.workers.nodes import any_alive
from cluster.workers.trial import SingleTrial
from data_shards.errors import DataError
from data_shards.store import FolderStore, Store, open_store

# What an actor that only watches a worker group takes: Tune refuses nothing at all, and a bit of a CPU would be missing
# from the workers. Every Ray cluster has one of these on its head node.
WATCHER = {"node:__internal_head__": 0.001}
NODES_LOOK_S = 5.0
OBJECT_STORE_BYTES = 100_000_000  # nothing large travels through Ray
_signals: list[int] = []  # that asked this process to stop softly


def launch(job: Job, observe: Callable[[SweepState], None]) -> str:
    """Run the sweep to its end, or until it is interrupted; returns its state: done, failed, stopped or interrupted.

    Raises SweepBusy where another process drives it, PortTaken where its metrics' port cannot be had, ClusterTooSmall where no
    trial fits, and OSError or DataError where the storage does not take the log: what was recorded is safe, and another launch
    goes on with it.
    """
    store, paths = open_store(job.storage), SweepPaths(job.id)
    with driving(store, paths) as driver, exporting(job) as metrics:
        stop = StopRequest(store, paths.stop_request)
        stop.withdraw()
        job = replace(job, about={**job.about, "metrics": metrics.url})
        with closing(open_log(store, paths, driver, metrics.follow)) as log:
            # Twice: a signal may come while Ray starts, and Ray sets a handler of its own.
            with _stopping_softly(stop), _ray(_instructions(job.cpu_capability)), _stopping_softly(stop):
                concurrent = concurrency(job, grown(ray.cluster_resources()))
                conductor = Conductor(job, log, observe, stop, partial(clone, store, paths))
                if not conductor.is_finished():
                    with _scratch(store, paths) as scratch, _watching_nodes(conductor), _room(job, concurrent):
                        _tune(job, conductor, concurrent, scratch)
                state = conductor.close()
            stop.withdraw()
            return state


def concurrency(job: Job, resources: dict[str, float]) -> int:
    """How many trials run at a time. Raises ClusterTooSmall where it is none."""
    asked = {"CPU": job.least_workers * job.cpus_per_worker, "GPU": job.least_workers * job.gpus_per_worker}
    for kind, wanted in asked.items():
        if wanted > resources.get(kind, 0.0):
            problem = f"a trial asks for {wanted:g} {kind}s ({job.least_workers} workers)"
            raise ClusterTooSmall(f"resources: {problem}, the cluster has {resources.get(kind, 0.0):g}")
    fitting = [int(resources[kind] / wanted) for kind, wanted in asked.items() if wanted > 0]
    return max(1, min([job.trials * job.seeds, *fitting]))


def _tune(job: Job, conductor: Conductor, concurrent: int, scratch: Path) -> None:
    """Let Tune run what the conductor hands out, `concurrent` trials at a time. Raises what stopped the log from going on.

    Tune's own files go to `scratch` and are never read again.
    """
    tuner = tune.Tuner(
        _trainable(job),
        param_space=grouping(
            job.cpus_per_worker,
            job.gpus_per_worker,
            elastic=job.elastic,
            placement=job.placement,
            interface=job.interface,
        ),
        tune_config=tune.TuneConfig(
            search_alg=ConductedSearcher(conductor),
            scheduler=ConductedScheduler(conductor),
            num_samples=-1,  # the searcher says when it is over
            max_concurrent_trials=concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),  # retries are counted in one place: the conductor
        ),
    )
    try:
        with told_to_tune():
            tuner.fit()
    except tune.TuneError:
        if conductor.book.failure is None:
            raise
        raise conductor.book.failure from None


def _trainable(job: Job) -> Any:
    if job.in_groups:
        return tune.with_resources(WorkerGroupTrial, tune.PlacementGroupFactory([WATCHER]))
    return tune.with_resources(SingleTrial, {"cpu": job.cpus_per_worker, "gpu": job.gpus_per_worker})


def _instructions(capability: str) -> dict[str, str]:
    """The environment that makes torch and the libraries below it compute with one instruction set, before they load."""
    if capability == "auto":
        return {}
    onednn = {"default": "SSE41", "avx2": "AVX2", "avx512": "AVX512_CORE"}[capability]
    blas = {"default": "COMPATIBLE", "avx2": "AVX2", "avx512": "AVX512"}[capability]
    return {"ATEN_CPU_CAPABILITY": capability, "ONEDNN_MAX_CPU_ISA": onednn, "MKL_CBWR": blas}


@contextmanager
def _ray(environment: dict[str, str]) -> Iterator[None]:
    """A running Ray where RAY_ADDRESS names one, else an embedded one that ends with us. `environment` is of all processes
    that are started for us."""
    if ray.is_initialized():
        yield
        return
    quiet = logging.CRITICAL  # what goes wrong is in our log
    runtime = {"env_vars": environment} if environment else None
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level=quiet, runtime_env=runtime)
    else:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # it listens on this machine alone and ends with us
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=quiet,
            object_store_memory=OBJECT_STORE_BYTES,
            runtime_env=runtime,
        )
    try:
        yield
    finally:
        ray.shutdown()


def _room(job: Job, concurrent: int) -> AbstractContextManager[None]:
    """Where a cluster grows as it is asked to: room for all groups of workers, which are started once there is some."""
    if not grows() or not job.in_groups:
        return nullcontext()
    return room_for(concurrent * job.workers, {"CPU": job.cpus_per_worker, "GPU": job.gpus_per_worker})


@contextmanager
def _watching_nodes(conductor: Conductor) -> Iterator[None]:
    """Where every node is dead, say so to the conductor: Tune would wait for one for ever."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(NODES_LOOK_S):
            with suppress(RayError):  # the head is gone: Ray ends this process by itself
                if not any_alive():
                    conductor.lose_all_nodes()

    watcher = threading.Thread(target=watch, name="nodes", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(NODES_LOOK_S)


@contextmanager
def _scratch(store: Store, paths: SweepPaths) -> Iterator[Path]:
    """A folder of this machine for Tune's own files: beside the sweep, or a temporary one where that is elsewhere."""
    if isinstance(store, FolderStore) and not store.remote:
        folder = store.path(paths.scratch)
        shutil.rmtree(folder, ignore_errors=True)  # a driver that was killed leaves it to the next one
    else:
        folder = Path(tempfile.mkdtemp(prefix="i2i-tune-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _stopping_softly(stop: StopRequest) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the trials to save and end; a second one ends at once."""
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        _signals.append(number)
        # In a thread: this handler may interrupt its own one while that holds a lock of the store's client.
        threading.Thread(target=_ask, args=(stop,), daemon=True).start()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def was_signalled() -> bool:
    """Whether a signal, and not only somebody's request in the storage, asked this process to stop."""
    return bool(_signals)


def _ask(stop: StopRequest) -> None:
    with suppress(DataError, OSError):  # the conductor knows it anyhow, and the trials need the same storage
        stop.make()
