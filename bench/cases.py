"""What is measured: every case, the peer it is held against, and the goal it has to reach. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Figure = Literal["cpu_per_100k", "cpu_s", "wall_s", "items_per_cpu_s", "items_per_s", "items_per_server_cpu_s"]
ServerKind = Literal["none", "null", "null-tls", "null-10ms", "pages", "moto", "sandbox"]
Interpreter = Literal["ours", "boto3", "aiobotocore", "dynamodump"]

#: Of these figures more is better.
RATES = frozenset({"items_per_cpu_s", "items_per_s", "items_per_server_cpu_s"})


@dataclass(frozen=True, slots=True)
class Group:
    """A table of the results: what its figure is called, and how many digits it deserves."""

    name: str
    title: str
    figure: Figure
    unit: str
    digits: int


@dataclass(frozen=True, slots=True)
class Case:
    """One way to do one thing: `group.name`. `work` is the module and function that a child process runs."""

    name: str
    title: str
    work: str
    kind: str
    items: int
    interpreter: Interpreter = "ours"
    server: ServerKind = "none"
    #: The case that the ratio is taken against.
    peer: str | None = None
    goal: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    only_full: bool = False
    #: Long cases are repeated less often; the table says how often.
    most_runs: int | None = None

    @property
    def group(self) -> str:
        """Name of the table it stands in."""
        return self.name.partition(".")[0]


CPU = "client CPU s per 100,000 items"
GROUPS = (
    Group("write-track", "Bulk write of tracks (1.5 KB): export lines to BatchWriteItem", "cpu_per_100k", CPU, 2),
    Group("write-small", "Bulk write of small items (190 B)", "cpu_per_100k", CPU, 2),
    Group("write-10ms", "Bulk write of tracks, a server that answers after 10 ms", "items_per_s", "items/s", 0),
    Group("scan-track", "Scan of tracks to export lines", "cpu_per_100k", CPU, 2),
    Group("fingerprint", "Fingerprint from export lines", "items_per_cpu_s", "items per CPU s (one core)", 0),
    Group("compare", "Compare of two exports of small items", "wall_s", "wall s", 2),
    Group("start", "Start", "cpu_s", "CPU s of the whole process", 3),
    Group(
        "sandbox-write",
        "The sandbox: batched writes of small items (one client, its own time included)",
        "items_per_s",
        "items/s",
        0,
    ),
    Group(
        "sandbox-scan",
        "The sandbox: scan of small items (one client, its own time included)",
        "items_per_s",
        "items/s",
        0,
    ),
    Group("server", "The server of the bench itself", "items_per_server_cpu_s", "items per CPU s of the server", 0),
)


def _writes(kind: str, slow: int, fast: int) -> tuple[Case, ...]:
    group = f"write-{kind}"

    def peer(name: str, title: str, work: str, interpreter: Interpreter, **options: int) -> Case:
        return Case(f"{group}.{name}", title, f"peers:{work}", kind, slow, interpreter, "null", options=options)

    def ours(name: str, title: str, server: ServerKind, goal: float) -> Case:
        first = f"{group}.batch_writer"
        return Case(f"{group}.{name}", title, "ours:write", kind, fast, server=server, peer=first, goal=goal)

    restore = (peer("dynamodump", "dynamodump restore", "dynamodump_restore", "dynamodump"),)
    return (
        peer("batch_writer", "boto3 resource `batch_writer`", "batch_writer", "boto3"),
        *(restore if kind == "track" else ()),
        peer("aiobotocore", "aiobotocore, 8 at once", "aiobotocore_write", "aiobotocore", tasks=8),
        peer("client_1", "boto3 client `batch_write_item`, 1 thread", "batch_write_item", "boto3", threads=1),
        peer("client_8", "boto3 client `batch_write_item`, 8 threads", "batch_write_item", "boto3", threads=8),
        ours("ours", "**ours**", "null", 2.5 if kind == "track" else 1.0),
        *((ours("ours_tls", "**ours**, TLS", "null-tls", 3.2),) if kind == "track" else ()),
        Case(f"{group}.limit", "limit: gunzip + join + sign, nothing sent", "limits:gunzip_join_sign", kind, fast),
    )


def _slow_server() -> tuple[Case, ...]:
    first = Case(
        "write-10ms.client_32", "boto3 client, 32 threads", "peers:batch_write_item", "track", 3_000, "boto3",
        "null-10ms", options={"threads": 32},
    )  # fmt: skip
    return (
        first,
        Case(
            "write-10ms.ours", "**ours**", "ours:write", "track", 3_000, server="null-10ms", peer=first.name,
            goal=40_000,
        ),
    )  # fmt: skip


def _scans() -> tuple[Case, ...]:
    def case(name: str, title: str, work: str, items: int, interpreter: Interpreter = "ours", **options: int) -> Case:
        return Case(f"scan-track.{name}", title, work, "track", items, interpreter, "pages", options=options)

    first = case("client", "boto3 client + json + gzip 6", "peers:client_scan", 4_000, "boto3", level=6)
    many, concurrent = 20_000, "aiobotocore, 4 segments + json + gzip 6"
    return (
        first,
        case("dynamodump", "dynamodump backup (not compressed)", "peers:dynamodump_backup", 4_000, "dynamodump"),
        case("aiobotocore", concurrent, "peers:aiobotocore_scan", 4_000, "aiobotocore", level=6, tasks=4),
        replace(
            case("ours", "**ours**, 4 segments + gzip 6", "ours:scan", many, segments=4, level=6),
            peer=first.name,
            goal=2.0,
        ),
        case("ours_read", "**ours**, 4 segments, every item checked, no file", "ours:read", many, segments=4),
        case("limit", "limit: receive + CRC-32", "limits:receive_crc", many),
    )


def _proofs() -> tuple[Case, ...]:
    return (
        Case("fingerprint.track", "**ours**, tracks", "ours:fingerprint", "track", 20_000, goal=45_000),
        Case("fingerprint.small", "**ours**, small items", "ours:fingerprint", "small", 50_000),
        Case("compare.20000", "**ours**, 2 x 20,000", "ours:compare", "small", 20_000),
        Case("compare.200000", "**ours**, 2 x 200,000", "ours:compare", "small", 200_000),
        Case(
            "compare.2000000", "**ours**, 2 x 2,000,000", "ours:compare", "small", 2_000_000, goal=10.0,
            only_full=True, most_runs=1,
        ),
        Case("start.help", "`ops --help`", "ours:help", "small", 1, goal=0.25),
    )  # fmt: skip


def _sandboxes() -> tuple[Case, ...]:
    def pair(verb: str) -> tuple[Case, Case]:
        group, work = f"sandbox-{verb}", f"ours:server_{verb}"
        plain = Case(f"{group}.moto", "moto, as installed", work, "small", 5_000, server="moto")
        return plain, Case(f"{group}.ours", "**the sandbox**", work, "small", 5_000, server="sandbox", peer=plain.name)

    return (*pair("write"), *pair("scan"))


def all_cases() -> tuple[Case, ...]:
    """Every case, in the order of the tables."""
    return (
        *_writes("track", 2_000, 20_000),
        *_writes("small", 5_000, 40_000),
        *_slow_server(),
        *_scans(),
        *_proofs(),
        *_sandboxes(),
        Case(
            "server.write",
            "one ready batch of tracks, over and over",
            "limits:null_load",
            "track",
            50_000,
            server="null",
        ),
        Case("server.scan", "pages of tracks", "limits:receive_crc", "track", 20_000, server="pages"),
    )


#: Ratios that the goals set: how many times better than the peer, at least.
RATIO_GOALS = {
    "write-track.ours": 50.0,
    "scan-track.ours": 30.0,
    "sandbox-write.ours": 5.0,
    "sandbox-scan.ours": 5.0,
}

#: Ten times the items may cost at most this much: (smaller, larger, limit).
GROWTH = (("compare.20000", "compare.200000", 11.0), ("compare.200000", "compare.2000000", 11.0))
