"""What a plan must know of shards without a manifest: what the first pictures are like, and what nobody knows.

The hash of the shards' listing takes the place of the manifest's in the sweep's identity. A listing names places and
versions, not content: the same shards in another bucket may be another sweep.
"""

from __future__ import annotations

from data_shards.errors import DataError, Unreachable
from data_shards.index.names import DomainPattern
from data_shards.manifest_file import FILE
from orchestrator.errors import Refusal
from orchestrator.planning.data import DataFacts
from orchestrator.planning.labels import label_names
from orchestrator.sweep_file.data import DataPart
from trainers.settings import Reads
from trainers.system import System

NOT_EXACT = (
    "mode stream: not exact: pictures that are damaged but can be decoded are not noticed, and a changed shard only by its "
    "size or ETag; `i2i-cluster shards index` makes it exact"
)
HAS_MANIFEST = "there is a manifest beside the shards, which mode stream does not read; mode indexed, the default, does"


def check_mode(data: DataPart) -> list[Refusal]:
    """What is wrong with the keys that go with one `data.mode` alone."""
    found = []
    if data.mode == "indexed" and data.domains:
        problem = (
            "the manifest says what is of which domain; give the patterns to `i2i-cluster shards index --domain`, or "
            "leave the manifest out with data.mode: stream"
        )
        found.append(Refusal(problem, path="data.domains", value=data.domains))
    if data.mode == "stream":
        for domain, pattern in data.domains.items():
            try:
                DomainPattern.read(f"{domain}={pattern}")
            except DataError as error:
                found.append(Refusal(str(error), path=f"data.domains.{domain}", value=pattern))
        for key, value in (("limit", data.limit), ("balanced", data.balanced)):
            if value:
                problem = "cannot be had with mode stream: it needs a manifest, as `i2i-cluster shards index` makes it"
                found.append(Refusal(problem, path=f"data.{key}", value=value))
    return found


def read_plain(data: DataPart, system: type[System], reads: Reads | None = None) -> DataFacts:
    """The facts about the shards at `data.uri` for `system`; reads: what it reads under its settings.

    Raises:
        Refusal: there are no shards, or no pictures that `system` could read.
    """
    from data_shards.plain.data import PlainData  # brings webdataset
    from data_shards.plain.look import held_back, look

    reads = reads or system.reads
    kinds = {"classes": reads.labelled, "attributes": reads.attributed, "texts": reads.captioned}
    told = [f"{kind} of domain {' and '.join(domains)}" for kind, domains in kinds.items() if domains]
    if told or reads.label_map:
        what = told[0] if told else "meaning of label maps"
        problem = f"{system.name} reads the {what}, which only a manifest knows"
        raise Refusal(f"{problem}; nearest: indexed", path="data.mode", value=data.mode)
    try:
        plain = PlainData(data.uri, data.domains)
        stored = look(plain, reads.domains, paired=reads.paired).shapes
        validation, truth = held_back(plain, reads.domains, paired=reads.paired)
        has_manifest = plain.store.exists(FILE)
    except DataError as error:
        raise Refusal(str(error), path="data.uri", value=data.uri) from error
    except Unreachable:
        raise
    except OSError as error:
        raise Refusal(f"{data.uri} cannot be read: {(error.strerror or '').lower()}", path="data.uri") from error
    return DataFacts(
        uri=plain.uri,
        sha256=plain.sha256,
        name=plain.name,
        stored={domain: stored[domain] for domain in reads.domains},
        train=dict.fromkeys(reads.sources),
        validation=validation,
        truth=truth and not reads.mixed,
        remote_bytes=None if plain.store.remote else 0,
        label_names=label_names(reads, (), ()),
        notes=(NOT_EXACT, *([HAS_MANIFEST] if has_manifest else [])),
    )
