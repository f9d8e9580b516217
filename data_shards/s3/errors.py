"""What each failure of S3 means to the one who waits: try again, mend something, or it is not there.

Nothing here decides how often to try: that is the deadline's business. The surprise is how little a status says: a
request that came too slowly is a 400, and a wrong clock of this machine is a 403.
"""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from data_shards.errors import DataError
from data_shards.transfer import Transient

# What a request raises where the network, the server or the credentials fail. A ValueError: a number or a date in the
# reply is none.
FAILURES = (BotoCoreError, ClientError, ResponseParserError, ValueError, Transient)


class Refused(DataError):
    """The server answered with a refusal that will stay one; `status` is its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def meaning(failure: Exception, place: str) -> Exception:
    """What a failed request means to the one who waits for it: to be tried again (Transient), mended, or not there.

    `place` is the address of the object or bucket. What a failed condition (412) or a range beyond the end (416) means
    is known only to the one who asked.
    """
    if isinstance(failure, Transient | DataError):
        return failure
    if isinstance(failure, ClientError):
        return _answered(failure, place)
    if isinstance(failure, NoCredentialsError | PartialCredentialsError):
        return DataError(
            f"{place}: no credentials for S3 ({_line(failure)}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
            " name a profile of ~/.aws/credentials with ?profile=NAME"
        )
    if isinstance(failure, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return DataError(
            f"{place}: its certificate is not trusted ({_line(failure)}); set AWS_CA_BUNDLE to its CA's file"
        )
    if isinstance(failure, SSLError) and "WRONG_VERSION_NUMBER" in str(failure):
        return DataError(f"{place}: the server does not speak TLS; write the endpoint with http://")
    for kinds, cause in CAUSES.items():
        if isinstance(failure, kinds):
            return Transient(cause, _line(failure))
    if isinstance(failure, HTTPClientError):  # whatever else the socket did
        return Transient("reset", _line(failure))
    assert isinstance(failure, BotoCoreError), failure
    return DataError(f"{place}: {_line(failure)}")


CAUSES: dict[tuple[type[Exception], ...], str] = {
    (EndpointConnectionError, ProxyConnectionError, CredentialRetrievalError): "refused",
    (ConnectTimeoutError, ReadTimeoutError): "timeout",
    (ConnectionClosedError, SSLError): "reset",
    (ResponseParserError, ValueError): "corrupt",
}
# Codes of S3 and its lookalikes whose status does not say that another try may succeed.
RETRIED = {
    "RequestTimeout": "timeout",
    "IncompleteBody": "truncated",
    "BadDigest": "corrupt",
    "InvalidDigest": "corrupt",
    "XAmzContentSHA256Mismatch": "corrupt",
    "ConditionalRequestConflict": "conflict",
    "OperationAborted": "conflict",
}
THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"}
CREDENTIALS = "check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile"
# Code -> what to do about it.
REFUSED = {
    "InvalidAccessKeyId": f"the server does not know this access key; {CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key does not belong to the access key; {CREDENTIALS}",
    "ExpiredToken": "the session token has expired; get new credentials and submit again",
    "InvalidToken": "the session token is not valid; get new credentials, or unset AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "the clock of this machine is wrong by minutes; set it",
    "NoSuchBucket": "there is no such bucket; make it, or correct its name",
    "InvalidBucketName": "the server takes this for no name of a bucket; correct it",
}


def _line(failure: Exception) -> str:
    """What happened, on one line. A connection that failed only tells the address: why is in the error below."""
    if isinstance(failure, EndpointConnectionError):
        failure = failure.kwargs.get("error", failure)
    return " ".join(str(failure).split())


def _answered(failure: ClientError, place: str) -> Exception:
    """What the server's own words mean."""
    error, meta = failure.response.get("Error", {}), failure.response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "")), int(meta.get("HTTPStatusCode", 0))
    told = f"HTTP {status}, {code}: {error.get('Message', '')}" if code != str(status) else f"HTTP {status}"
    if code in THROTTLED or status == 429:
        return Transient("throttled", told)
    if code in RETRIED or status == 408:
        return Transient(RETRIED.get(code, "timeout"), told)
    if status >= 500 and status != 501:
        return Transient("status_5xx", told)
    if code in REFUSED:
        return Refused(status, f"{place}: {REFUSED[code]} ({told})")
    if status == 404:
        return FileNotFoundError(f"{place} is not there")
    if status in (301, 307) or code == "AuthorizationHeaderMalformed":
        region = meta.get("HTTPHeaders", {}).get("x-amz-bucket-region") or error.get("Region")
        hint = f"?region={region}" if region else "?region=NAME or AWS_REGION"
        return Refused(status, f"{place}: the bucket is in another region; name it with {hint} ({told})")
    if status == 403:
        return Refused(
            status,
            f"{place}: access denied; {CREDENTIALS}, and what they may do there (where they may not list a bucket, a"
            f" missing object is denied too) ({told})",
        )
    return Refused(status, f"{place}: the server refuses the request ({told})")
