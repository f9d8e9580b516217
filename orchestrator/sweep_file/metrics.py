"""The `metrics` part of a sweep file: where a Prometheus finds what a running sweep exports."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from cluster.job import METRICS_PORT, Endpoint
from orchestrator.errors import show
from orchestrator.sweep_file.data import Part

LARGEST_PORT = 65_535
_Auto = Literal["auto"]


def _port(value: object) -> int | str:
    is_port = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_PORT
    if value != "auto" and not is_port:
        raise ValueError(f"must be auto, 0 for none, or a port up to {LARGEST_PORT}, not {show(value)}")
    return value  # type: ignore[return-value]  # one of them by now


def _host(value: object) -> str:
    try:
        return value if value == "auto" else str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError(f"must be auto or an address of the machine, such as 0.0.0.0, not {show(value)}") from None


class Metrics(Part):
    """Where a Prometheus finds the sweep's metrics."""

    port: Annotated[
        int | _Auto,
        PlainValidator(_port, json_schema_input_type=Annotated[int, Field(ge=0, le=LARGEST_PORT)] | _Auto),
    ] = Field(
        default="auto",
        description=f"Port of the driver's metrics; auto: {METRICS_PORT}, or the next that is free; 0: none.",
    )
    host: Annotated[str, PlainValidator(_host, json_schema_input_type=str)] = Field(
        default="auto",
        description="Address that it listens on; auto: 127.0.0.1, and in a Kubernetes pod all addresses of the pod.",
    )

    @property
    def endpoint(self) -> Endpoint:
        """The same for whoever runs the sweep."""
        return Endpoint(None if self.port == "auto" else int(self.port), "" if self.host == "auto" else self.host)
