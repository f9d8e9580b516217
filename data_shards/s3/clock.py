"""What time it is at a store, as far as it tells: S3 refuses requests of a clock that is 15 minutes off."""

from email.utils import parsedate_to_datetime

from data_shards.address import Address
from data_shards.s3.bucket import Bucket
from data_shards.transfer import Patience


def server_time(address: Address, path: str, patience: Patience) -> float | None:
    """Seconds since 1970 by the server's clock, to the second, when it answers about the object `path`; None where it does
    not say. Raises FileNotFoundError where there is no such object, and what a store does."""
    reply = Bucket(address, patience).head(path)
    date = reply["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
