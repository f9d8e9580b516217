"""How requests reach S3: a client without retries of its own, and bodies that cannot stall.

The surprise is how much is switched off. botocore's retries do not cover a body that breaks off, and would hide what
happened; its wait for `100 Continue` spins for ever where the connection closes at that moment.
"""

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, HTTPClientError, ProfileNotFound
from botocore.handlers import add_expect_header
from botocore.httpsession import ProtocolError, URLLib3ReadTimeoutError, URLLib3Session, URLLib3SSLError
from botocore.utils import get_environ_proxies

from data_shards.address import Address
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from data_shards.transfer import Pace, Patience, Transient

CONNECTIONS = 32  # kept open for reuse
CHUNK = 1 << 18  # bytes read at once
WITHOUT_BODY = (204, 304)
AMAZON = re.compile(r"\.amazonaws\.com(\.cn)?$")


class GuardedBody:
    """The body of a reply, as botocore wants it, that raises Transient where it stalls, drips or breaks off."""

    def __init__(self, raw: Any, length: int | None, patience: Patience) -> None:
        self._raw = raw
        self._left = length
        self._pace = Pace(patience)

    def read(self, size: int | None = None) -> bytes:
        """Up to `size` bytes, as soon as there are any; everything where none is given."""
        if size is None:
            return b"".join(self.stream())
        try:
            chunk = self._next(size)
        except Transient:
            self.close()
            raise
        COUNTS.add("bytes", len(chunk))
        return chunk

    def _next(self, size: int) -> bytes:
        try:
            # Not read(): that waits for all of them, through any number of waits just below the time-out.
            chunk: bytes = self._raw.read1(size)
        except URLLib3ReadTimeoutError as failure:
            raise Transient("timeout", "no more content for the time a read may take") from failure
        except (ProtocolError, URLLib3SSLError, OSError) as failure:
            raise Transient("reset", f"connection lost: {failure}") from failure
        if self._left is not None:
            self._left -= len(chunk)
        if chunk:
            self._pace.add(len(chunk))
        elif self._left and self._left > 0:
            raise Transient("truncated", f"content broke off {self._left} bytes before its end")
        return chunk

    def stream(self) -> Iterator[bytes]:
        while chunk := self.read(CHUNK):
            yield chunk

    def close(self) -> None:
        self._raw.close()  # also the connection, where something of the body is still on its way


class PerThread(threading.local):
    """What a thread says about the request that it is about to send."""

    read_timeout: float | None = None  # seconds; the patience's own where None


class GuardedSession(URLLib3Session):  # type: ignore[misc]  # botocore ships no types
    """Sends requests for botocore, with a guarded body for every reply."""

    def __init__(self, patience: Patience, verify: str | bool, proxies: dict[str, str]) -> None:
        timeouts = (patience.connect_timeout, patience.read_timeout)
        super().__init__(
            verify=verify,
            proxies=proxies,
            timeout=timeouts,
            max_pool_connections=CONNECTIONS,
            # Else the kernel holds a small body back until the head was acknowledged: 40 ms a write.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        self._patience = patience
        self.thread = PerThread()

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        COUNTS.add("requests")
        request.context["read_timeout"] = self.thread.read_timeout or self._patience.read_timeout
        streamed = request.stream_output
        request.stream_output = True  # else the body is read before it can be guarded
        try:
            response = super().send(request)
        except HTTPClientError as failure:
            if isinstance(given_up := failure.kwargs.get("error"), Transient):  # by the body that was being sent
                raise given_up from None
            raise
        length = response.headers.get("Content-Length", "")
        empty = request.method == "HEAD" or response.status_code in WITHOUT_BODY
        left = int(length) if length.isdigit() and not empty else None
        response.raw = GuardedBody(response.raw, left, self._patience)
        if not streamed or response.status_code >= 300:
            _ = response.content  # kept by the response from here on
        return response


def credentials_from(address: Address) -> str:
    """Where the credentials for an address are found, such as env, shared-credentials-file or iam-role; empty where there are none.

    DataError where its profile is not there, or the files that hold them cannot be read.
    """
    try:
        found = botocore.session.Session(profile=address.options.get("profile")).get_credentials()
    except (BotoCoreError, ValueError, OSError) as error:
        raise DataError(f"{address.plain}: {error}; see ~/.aws/config and ~/.aws/credentials") from error
    return "" if found is None else str(found.method)


def make_client(address: Address, patience: Patience) -> tuple[Any, GuardedSession]:
    """A botocore client for this address, and what sends its requests.

    DataError where profile, region or endpoint cannot be used.
    """
    options = address.options
    try:
        session = botocore.session.Session(profile=options.get("profile"))
        client = _client(session, options, options.get("addressing", "auto"))
        host = urlsplit(client.meta.endpoint_url).hostname
        if options.get("addressing", "auto") == "auto" and not AMAZON.search(host):
            client = _client(session, options, "path")  # few other servers have a host name for each bucket
        verify = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
        http = GuardedSession(patience, verify, get_environ_proxies(client.meta.endpoint_url))
    except ProfileNotFound as error:
        raise DataError(f"{address.plain}: {error}; name one of ~/.aws/config with profile=NAME") from error
    except (BotoCoreError, ValueError, OSError) as error:
        raise DataError(f"{address.plain}: S3 cannot be set up: {error}; check the AWS_ variables") from error
    client.meta.events.unregister("before-call.s3", add_expect_header)
    client.meta.events.register("before-send.s3", lambda request, **_: http.send(request))
    return client, http


def _client(session: Any, options: Mapping[str, str], addressing: str) -> Any:
    region = options.get("region") or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return session.create_client(
        "s3",
        region_name=region or "us-east-1",
        endpoint_url=options.get("endpoint"),
        config=Config(
            s3={"addressing_style": addressing},
            signature_version="s3v4",
            retries={"total_max_attempts": 1, "mode": "standard"},
            request_checksum_calculation="when_required",  # ours: MD5 on the way there, CRC32C on the way back
            response_checksum_validation="when_required",
        ),
    )
