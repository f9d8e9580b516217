"""`doctor`: what it finds on a machine and in a storage, what it says where something is wrong, and that it leaves nothing."""

import json
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from cluster import memory
from cluster.finding import Finding
from data_shards.errors import DataError
from data_shards.store import FolderStore, open_store
from orchestrator.doctor import doctor
from orchestrator.doctor import storage as doctor_storage
from orchestrator.doctor.doctor import LEAST_DISK, LONGEST_TEMPORARY, examine
from orchestrator.doctor.storage import Step, examine_storage
from orchestrator.planning.sizes import Machine

STEPS = ["put", "get", "list", "conditional put", "clock", "delete"]


def steps(storage):
    """Name -> what was found of a storage, with its problem."""
    return {step.name: step for step in examine_storage(str(storage), 1)}


def finding(check, storage="."):
    (found,) = check(storage)
    return found


def test_every_check_has_a_row_and_a_json_value(run, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "free_memory", lambda: 4 * 10**9)
    monkeypatch.setattr(doctor, "LEAST_SHARED", 0)  # a container may have little
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    code, out, err = run("doctor", tmp_path, "-o", "json")
    told = {row["check"]: row for row in json.loads(out)}
    assert (code, err) == (0, ""), out
    assert list(told) == [
        "python",
        "i2i-cluster",
        "torch",
        "ray",
        "packages",
        "processors",
        "GPUs",
        "memory",
        "/dev/shm",
        "temporary folder",
        "NCCL",
        "interface",
        "storage: room",
        *(f"storage: {name}" for name in STEPS),
        "storage: lock",
    ]
    assert told["torch"] == {"check": "torch", "ok": True, "found": version("torch"), "mend": None}
    assert told["memory"]["found"] == "4GB free"
    code, out, err = run("doctor", tmp_path)
    head, *rows = out.splitlines()
    assert head.split() == ["check", "found", "to", "mend", "it"]
    assert [row.split("  ")[0].strip() for row in rows] == list(told)
    assert (code, err, list(tmp_path.iterdir())) == (0, "", [])


def test_a_problem_is_told_with_what_mends_it(run, monkeypatch):
    found = [
        Finding("memory", True, "4GB free", "end others"),
        Finding("/dev/shm", False, "64MB free", "make it larger"),
    ]
    monkeypatch.setattr("orchestrator.doctor.doctoring.examine", lambda storage: found)
    code, out, err = run("doctor")
    assert (code, err) == (1, "")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["memory", "ok", "4GB", "free"],
        ["/dev/shm", "problem", "64MB", "free", "make", "it", "larger"],
    ]
    code, out, _ = run("doctor", "-o", "json")
    assert code == 1
    assert [row["mend"] for row in json.loads(out)] == [None, "make it larger"]


@pytest.mark.parametrize("place", ["", "new/deep"])
def test_a_folder_is_tried_and_left_as_it_was(tmp_path, place):
    found = examine_storage(str(tmp_path / place), 1)
    assert [step.name for step in found] == ["room", *STEPS, "lock"]
    assert not [step for step in found if step.problem]
    assert list(tmp_path.iterdir()) == []


def test_s3_is_tried_and_left_as_it_was(bucket, run):
    found = examine_storage(bucket, LEAST_DISK)
    assert [(step.name, step.problem) for step in found] == [(name, "") for name in ("credentials", *STEPS)]
    assert found[0].told == "from AWS_ACCESS_KEY_ID"
    assert [step.told for step in found][-3:] == [
        "the second of two is refused",
        "within 30s of ours",
        "nothing is left",
    ]
    assert open_store(bucket).list() == []


def test_a_clock_that_differs_is_told(bucket, tmp_path, monkeypatch):
    real = time.time
    monkeypatch.setattr("orchestrator.doctor.storage.time.time", lambda: real() + 90)
    for storage in (bucket, str(tmp_path)):
        step = steps(storage)["clock"]
        assert step.problem.startswith("this machine's clock is 1m")
        assert step.problem.endswith("s ahead of the store's")
        assert step.mend == "set the clocks, with NTP"
    monkeypatch.setattr("orchestrator.doctor.storage.time.time", lambda: real() - 300)
    assert steps(tmp_path)["clock"].problem == "this machine's clock is 5m behind the store's"


def test_a_store_that_lets_two_come_first_is_found_out(tmp_path, monkeypatch):
    class Careless(FolderStore):
        def create(self, path, data):
            self.write(path, data)
            return True

    monkeypatch.setattr(doctor_storage, "FolderStore", Careless)
    assert steps(tmp_path)["conditional put"] == Step(
        "conditional put",
        "",
        "the second of two was not refused: two processes could both come first",
        "use another storage, or a newer version of the server: S3 has If-None-Match, a file system hard links",
    )


def test_what_refuses_ends_the_trying_and_is_cleaned_up_after(tmp_path, monkeypatch):
    class Full(FolderStore):
        def list(self, prefix=""):
            raise DataError("s3://bucket/x: may not be listed\nby you")

    monkeypatch.setattr(doctor_storage, "FolderStore", Full)
    found = steps(tmp_path)
    assert list(found) == ["room", "put", "get", "list", "lock"]
    assert found["list"].problem == "s3://bucket/x: may not be listed by you"
    assert found["list"].mend == "give this user the right to list, read, write and delete there"
    assert list(tmp_path.iterdir()) == []


def test_locks_that_keep_nobody_out_are_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_storage, "is_locked", lambda path: False)
    assert steps(tmp_path)["lock"].problem == "a lock keeps nobody out: two drivers could write one log"


def test_a_place_that_cannot_be_a_storage_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    place = steps(tmp_path / "file")["place"]
    assert place.problem == f"{tmp_path}/file is a file; give the path of a folder"
    assert steps("s3://bucket/x?endpiont=http://h:1")["place"].problem.startswith(
        "s3://bucket/x: no option is called 'endpiont'"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    _, dead = examine_storage("s3://bucket/runs?deadline=1s&endpoint=http://127.0.0.1:1", 1)
    assert (dead.name, dead.problem.startswith("s3://bucket/runs")) == ("place", True)


def test_too_little_room_is_told(tmp_path):
    (room,) = [step for step in examine_storage(str(tmp_path), 10**16) if step.name == "room"]
    assert room.problem.endswith(" free")
    assert room.mend == "free 10000TB there, or name another storage"


@pytest.mark.parametrize(
    ("here", "least", "older"),
    [
        ("2.13.0+cpu", "2.13", False),
        ("2.9.1", "2.13", True),
        ("3", "2.60", False),
        ("2.60.0rc1", "2.60", False),
        ("3.11.7", "3.11", False),
        ("1.6", "", False),
        ("2", "2.1", True),
    ],
)
def test_versions_are_compared_by_their_numbers(here, least, older):
    assert doctor._is_older(here, least) is older


def test_old_and_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(
        doctor, "requires", lambda name: ["ray[tune]>=99", "nobody-has-this", "pytest>=99; extra == 'test'"]
    )
    monkeypatch.setattr(doctor, "DECISIVE", ("ray",))
    _, ray, others = doctor.check_packages(".")
    assert (ray.ok, ray.found, ray.mend) == (False, f"ray {version('ray')} is older than 99", "pip install 'ray>=99'")
    assert (others.ok, others.found) == (False, "nobody-has-this is not installed")
    monkeypatch.setattr(doctor, "NAME", "nobody-has-this")
    assert finding(doctor.check_packages).found == "nobody-has-this is not installed here"


def test_gpus_that_torch_cannot_use_are_a_problem(monkeypatch):
    monkeypatch.setattr("orchestrator.planning.sizes.this_machine", lambda: Machine(0.5, 2))
    monkeypatch.setattr("cluster.provenance.provenance", lambda: {"gpus": ["H"]})
    cpus, gpus = doctor.check_machine(".")
    assert (cpus.ok, cpus.found) == (False, "0.5 CPUs")
    assert (gpus.ok, gpus.found) == (False, f"2 in /dev, torch {version('torch')} can use 1: H")


def test_a_container_has_the_memory_that_is_left_to_it(tmp_path, monkeypatch):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 64000000 kB\nMemAvailable:   32000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert finding(doctor.check_memory).found == "32.77GB free"
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1500000000\n")
    assert finding(doctor.check_memory).ok
    (tmp_path / "memory.max").write_text("2000000000\n")
    assert finding(doctor.check_memory) == Finding(
        "memory", False, "500MB free", "end other programs, or give the container 1GB more"
    )


def test_a_temporary_folder_that_ray_cannot_use_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    assert finding(doctor.check_temporary).found == f"{tmp_path}/gone is no folder that may be written"
    deep = tmp_path / ("x" * LONGEST_TEMPORARY)
    deep.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(deep))
    told = finding(doctor.check_temporary)
    assert told.found == f"{deep} has {len(str(deep))} characters, and Ray's sockets leave room for {LONGEST_TEMPORARY}"
    assert told.mend == f"set RAY_TMPDIR to a folder of at most {LONGEST_TEMPORARY} characters, such as /tmp"


def test_no_shared_memory_is_too_little(monkeypatch):
    monkeypatch.setattr(doctor, "SHARED", Path("/nowhere"))
    told = finding(doctor.check_shared_memory)
    assert (told.check, told.ok, told.found) == ("/nowhere", False, "0B free")


def test_all_of_it_is_asked_of_one_storage(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (lambda storage: [Finding(storage, True, "")], doctor.check_python))
    assert [found.check for found in examine(str(tmp_path))] == [str(tmp_path), "python"]
