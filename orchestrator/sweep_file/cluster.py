"""The `cluster` part of a sweep file: where the driver and its trials run."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, model_validator

from orchestrator.errors import show
from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.quantities import read_count
from orchestrator.sweep_file.values import Cpus

LOCAL = "local"
MOST_NODES = 10_000
MOST_GPUS = 1_024
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]*\Z")
MEMORY = re.compile(r"([1-9][0-9]{0,9})(Ki|Mi|Gi|Ti|k|M|G|T)\Z")
UNITS: dict[str, int] = {f"{letter}i": 1024**n for n, letter in enumerate("KMGT", 1)}
UNITS |= {letter: 1000**n for n, letter in enumerate("kMGT", 1)}


def _object_name(value: object) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        raise ValueError(f"must be a name as Kubernetes has them (small letters, digits and dashes), not {show(value)}")
    return value


def _label(value: object) -> str:
    if not isinstance(value, str) or not LABEL.match(value):
        raise ValueError(f"must be the value of a label (letters, digits, dashes, dots), not {show(value)}")
    return value


def _image(value: object) -> str:
    if not isinstance(value, str) or not IMAGE.match(value):
        raise ValueError(f"must be an image such as registry.example.com/i2i-cluster:0.1.0-cpu, not {show(value)}")
    return value


def _nodes(value: object) -> tuple[int, int]:
    """[least, most], or one number for both."""
    if not isinstance(value, list | tuple):
        number = read_count(value, MOST_NODES)
        return number, number
    if len(value) != 2:
        raise ValueError(f"must be a number or [least, most], not {show(value)}")
    least, most = (read_count(one, MOST_NODES) for one in value)
    if least > most:
        raise ValueError(f"the least comes first: [{most}, {least}], not {show(value)}")
    return least, most


def _gpus(value: object) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else read_count(value, MOST_GPUS)


def memory_bytes(text: str) -> int:
    """The bytes of an amount of memory as Kubernetes writes it, such as 16Gi. Raises ValueError."""
    match = MEMORY.match(text)
    if not match:
        raise ValueError(f"must be an amount as Kubernetes writes it (such as 16Gi or 500Mi), not {show(text)}")
    return int(match[1]) * UNITS[match[2]]


def _memory(value: object) -> str:
    text = value if isinstance(value, str) else show(value)
    memory_bytes(text)
    return text


_COUNT = Annotated[int, Field(ge=1, le=MOST_NODES)]
ObjectName = Annotated[str, PlainValidator(_object_name, json_schema_input_type=str)]
Label = Annotated[str, PlainValidator(_label, json_schema_input_type=str)]
Image = Annotated[str, PlainValidator(_image, json_schema_input_type=str)]
Nodes = Annotated[
    tuple[int, int],
    PlainValidator(_nodes, json_schema_input_type=_COUNT | Annotated[list[_COUNT], Field(min_length=2, max_length=2)]),
    PlainSerializer(list, return_type=list[int]),
]
Gpus = Annotated[int, PlainValidator(_gpus, json_schema_input_type=Annotated[int, Field(ge=0, le=MOST_GPUS)])]
Memory = Annotated[
    str, PlainValidator(_memory, json_schema_input_type=Annotated[str, Field(pattern=MEMORY.pattern[:-2] + "$")])
]


class Kubernetes(Part):
    """A RayJob for each sweep, made by KubeRay's operator; or a job on a RayCluster that runs already."""

    image: Image = Field(description="The container image that holds i2i-cluster; pin it by digest.")
    context: str | None = Field(default=None, description="Context of the kubeconfig; empty: the current one.")
    namespace: ObjectName | None = Field(default=None, description="Namespace; empty: the context's own.")
    queue: ObjectName | None = Field(
        default=None,
        description="Kueue's LocalQueue that admits the sweep, with the most nodes and without scaling; empty: none.",
    )
    gpu: Label | None = Field(
        default=None, description="Product of the GPUs, as nodes are labelled nvidia.com/gpu.product; empty: any."
    )
    nodes: Nodes = Field(
        default=(1, 8),
        description="[least, most] worker pods: the cluster starts with the least and grows as trials wait.",
    )
    cpus_per_node: Cpus = Field(default=4.0, description="CPUs of a worker pod.")
    gpus_per_node: Gpus = Field(default=0, description="GPUs of a worker pod.")
    memory_per_node: Memory = Field(default="16Gi", description="Memory of a worker pod, as Kubernetes writes it.")
    shared_memory: Memory = Field(default="4Gi", description="Size of /dev/shm; part of the pod's memory.")
    head_memory: Memory = Field(
        default="8Gi",
        description="Memory of the head's pod, where the driver runs and every group of workers is watched.",
    )
    spot: bool = Field(default=False, description="Whether worker pods may run on nodes that may be taken away.")
    service_account: ObjectName = Field(default="i2i-cluster", description="Whose rights the pods have.")
    secret: ObjectName | None = Field(
        default=None, description="Name of a Secret whose entries become environment variables of head and workers."
    )
    ray_cluster: ObjectName | None = Field(
        default=None, description="Name of a RayCluster that runs already, and keeps its own pods; empty: make one."
    )
    keep_on_failure: bool = Field(
        default=False, description="Leave the pods of a failed sweep for a day, for looking at; not with a queue."
    )

    @model_validator(mode="after")
    def _together(self) -> Kubernetes:
        if memory_bytes(self.shared_memory) >= memory_bytes(self.memory_per_node):
            raise ValueError(
                f"shared_memory {self.shared_memory} is part of memory_per_node {self.memory_per_node} and must be less"
            )
        if self.gpu is not None and not self.gpus_per_node:
            raise ValueError(f"gpu {show(self.gpu)} needs gpus_per_node, the number of GPUs of a worker pod")
        if self.queue is not None and self.keep_on_failure:
            raise ValueError("keep_on_failure does not go with a queue: Kueue admits only what gives back its place")
        if self.ray_cluster is not None and self.queue is not None:
            raise ValueError("queue does not go with ray_cluster: Kueue admits clusters, and that one runs already")
        return self


def _address(value: object) -> str | None:
    """Where a Ray cluster's Jobs API is: an http address without credentials, and without a slash at its end."""
    if value is None:
        return None
    try:
        url = urlsplit(value) if isinstance(value, str) else urlsplit("")
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"is no address ({error}); write http://HEAD:8265") from error
    if url.username is not None:
        problem = "holds credentials; the token comes from RAY_AUTH_TOKEN_PATH or RAY_AUTH_TOKEN, see docs/clusters.md"
        raise ValueError(problem)
    if url.scheme not in ("http", "https") or not host or port == 0 or url.query or url.fragment:
        raise ValueError(f"must be an address such as http://HEAD:8265, not {show(value)}")
    return str(value).rstrip("/")


Address = Annotated[str | None, PlainValidator(_address, json_schema_input_type=str)]


class Cluster(Part):
    """Where the driver and its trials run; neither of these: on this machine."""

    address: Address = Field(
        default=None,
        description="`cluster: http://HEAD:8265` for short: a Ray cluster, by the address of its Jobs API. `local`: this machine, "
        "on a Ray of its own or on the one that RAY_ADDRESS names.",
    )
    kubernetes: Kubernetes | None = Field(default=None, description="A RayJob for each sweep, by KubeRay.")

    @property
    def is_local(self) -> bool:
        """Whether it is this machine."""
        return self.address is None and self.kubernetes is None

    @property
    def shares_files(self) -> bool:
        """Whether a folder of this machine is the same folder there."""
        return self.is_local or (self.address is not None and _is_loopback(urlsplit(self.address).hostname or ""))

    @property
    def place(self) -> str:
        """For people."""
        return self.address or ("this machine" if self.is_local else "Kubernetes")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_cluster(value: object) -> object:
    """`local` and an address by themselves, for the mapping they stand for."""
    if value == LOCAL:
        return {}
    if isinstance(value, str) and value.startswith(("http:", "https:")):
        return {"address": value}
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be local, http://HEAD:8265 or kubernetes: {{image: ...}}, not {show(value)}")
    if len(value) > 1:
        raise ValueError(f"must be one cluster, not {' and '.join(map(str, value))}")
    return value


def read_cluster(value: object) -> Cluster:
    """The cluster that the file's key means, for a value that was found right before."""
    return Cluster.model_validate(_read_cluster(value))


_HttpText = Annotated[str, Field(pattern="^https?://")]
ClusterPart = Annotated[
    Cluster, BeforeValidator(_read_cluster, json_schema_input_type=Cluster | Literal["local"] | _HttpText)
]
