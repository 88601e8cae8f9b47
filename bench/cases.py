"""What is measured: every case, the peer it is held against, and the goal it has to reach. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Figure = Literal[
    "cpu_per_100k", "cpu_s", "wall_s", "items_per_cpu_s", "items_per_s", "items_per_server_cpu_s",
    "items_per_whole_cpu_s",
]  # fmt: skip
ServerKind = Literal[
    "none", "null", "null-tls", "null-10ms", "null-apart", "pages", "pages-apart", "moto", "sandbox"
]  # fmt: skip
Interpreter = Literal["ours", "boto3", "aiobotocore", "dynamodump", "duckdb"]

#: Of these figures more is better.
RATES = frozenset({"items_per_cpu_s", "items_per_s", "items_per_server_cpu_s", "items_per_whole_cpu_s"})


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
    #: Of all processes of the client together, in MB (10^6 bytes).
    memory_goal_mb: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    only_full: bool = False

    @property
    def group(self) -> str:
        """Name of the table it stands in."""
        return self.name.partition(".")[0]


CPU = "client CPU s per 100,000 items"
WHOLE = "items per CPU s of client and server together"
GROUPS = (
    Group("write-track", "Bulk write of tracks (1.5 KB): export lines to BatchWriteItem", "cpu_per_100k", CPU, 2),
    Group("write-small", "Bulk write of small items (190 B)", "cpu_per_100k", CPU, 2),
    Group("write-10ms", "Bulk write of tracks, a server that answers after 10 ms", "items_per_s", "items/s", 0),
    Group("scan-track", "Scan of tracks to export lines", "cpu_per_100k", CPU, 2),
    Group("fingerprint", "Fingerprint from export lines", "items_per_cpu_s", "items per CPU s (one core)", 0),
    Group("processes", "Two processes beside one (tracks)", "items_per_s", "items/s", 0),
    Group("processes-shared", "The same, one server for both on the same two processors", "items_per_s", "items/s", 0),
    Group("compare", "Compare of two exports of small items", "wall_s", "wall s", 2),
    Group("start", "Start", "cpu_s", "CPU s of the whole process", 3),
    Group("sandbox-start", "The sandbox: start and end of all of it", "wall_s", "wall s", 2),
    Group("sandbox-write", "The sandbox: batched writes of small items", "items_per_whole_cpu_s", WHOLE, 0),
    Group("sandbox-write-track", "The sandbox: batched writes of tracks", "items_per_whole_cpu_s", WHOLE, 0),
    Group("sandbox-scan", "The sandbox: scan of small items", "items_per_whole_cpu_s", WHOLE, 0),
    Group("sandbox-scan-track", "The sandbox: scan of tracks", "items_per_whole_cpu_s", WHOLE, 0),
    Group("server", "The server of the bench itself", "items_per_server_cpu_s", "items per CPU s of the server", 0),
)


#: Enough for starting up to be no part of the figure, and for memory that grows with the input to be seen.
MANY = 200_000
WRITE_MB, SCAN_MB, BOUNDED_MB, COMPARE_MB = 80.0, 60.0, 150.0, 700.0


def _writes(kind: str, slow: int, fast: int) -> tuple[Case, ...]:
    group = f"write-{kind}"

    def peer(name: str, title: str, work: str, interpreter: Interpreter, **options: int) -> Case:
        return Case(f"{group}.{name}", title, f"peers:{work}", kind, slow, interpreter, "null", options=options)

    def ours(name: str, title: str, server: ServerKind, goal: float, count: int = fast) -> Case:
        first = f"{group}.batch_writer"
        return Case(
            f"{group}.{name}", title, "ours:write", kind, count, server=server, peer=first, goal=goal,
            memory_goal_mb=WRITE_MB,
        )  # fmt: skip

    restore = (peer("dynamodump", "dynamodump restore", "dynamodump_restore", "dynamodump"),)
    further = (
        ours("ours_many", "**ours**, ten times the items", "null", 2.5, MANY),
        ours("ours_tls", "**ours**, TLS", "null-tls", 3.2),
    )
    return (
        peer("batch_writer", "boto3 resource `batch_writer`", "batch_writer", "boto3"),
        *(restore if kind == "track" else ()),
        peer("aiobotocore", "aiobotocore, 8 at once", "aiobotocore_write", "aiobotocore", tasks=8),
        peer("client_1", "boto3 client `batch_write_item`, 1 thread", "batch_write_item", "boto3", threads=1),
        peer("client_8", "boto3 client `batch_write_item`, 8 threads", "batch_write_item", "boto3", threads=8),
        ours("ours", "**ours**", "null", 2.5 if kind == "track" else 1.0),
        *(further if kind == "track" else ()),
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
            "write-10ms.ours", "**ours**, one process", "ours:write", "track", MANY, server="null-10ms",
            peer=first.name, goal=40_000, memory_goal_mb=WRITE_MB,
        ),
    )  # fmt: skip


def _scans() -> tuple[Case, ...]:
    def case(name: str, title: str, work: str, items: int, interpreter: Interpreter = "ours", **options: int) -> Case:
        return Case(f"scan-track.{name}", title, work, "track", items, interpreter, "pages", options=options)

    first = case("client", "boto3 client + json + gzip 6", "peers:client_scan", 4_000, "boto3", level=6)
    fast, concurrent = 20_000, "aiobotocore, 4 segments + json + gzip 6"
    ours = replace(
        case("ours", "**ours**, 4 segments + gzip 1 (ISA-L)", "ours:scan", fast, segments=4),
        peer=first.name, goal=2.0, memory_goal_mb=SCAN_MB,
    )  # fmt: skip
    return (
        first,
        case("dynamodump", "dynamodump backup (not compressed)", "peers:dynamodump_backup", 4_000, "dynamodump"),
        case("aiobotocore", concurrent, "peers:aiobotocore_scan", 4_000, "aiobotocore", level=6, tasks=4),
        ours,
        replace(ours, name="scan-track.ours_many", title="**ours**, ten times the items", items=MANY),
        case("ours_read", "**ours**, 4 segments, every item parsed, no file", "ours:read", fast, segments=4),
        case("limit", "limit: receive + CRC-32", "limits:receive_crc", fast),
    )


def _proofs() -> tuple[Case, ...]:
    plain = Case("fingerprint.json", "json, every value walked, two BLAKE2b", "peers:fingerprint", "track", 4_000)
    return (
        plain,
        Case(
            "fingerprint.track", "**ours**, tracks", "ours:fingerprint", "track", 20_000, peer=plain.name, goal=45_000
        ),
        Case("fingerprint.small", "**ours**, small items", "ours:fingerprint", "small", 50_000),
        *_pairs(),
        *_compares(),
        Case("start.help", "`ops --help`", "ours:help", "small", 1, goal=0.25),
    )


def _pairs() -> tuple[Case, ...]:
    """The same work in one process and in two.

    On few processors a server for both takes a larger share of what two clients have than of what one has; so each
    process is measured on a processor with a server of its own. The pairs with one server stand beside them.
    """
    return (
        *_pair("processes", "write", "null-apart"),
        *_pair("processes", "scan", "pages-apart"),
        *_pair("processes", "fingerprint", "none"),
        *_pair("processes-shared", "write", "null"),
        *_pair("processes-shared", "scan", "pages"),
    )


def _pair(group: str, verb: str, server: ServerKind) -> tuple[Case, Case]:
    more = {"segments": 8} if verb == "scan" else {}
    one = Case(
        f"{group}.{verb}_1", f"**ours**, {verb}, one process", f"ours:{verb}_together", "track", MANY,
        server=server, options={**more, "processes": 1},
    )  # fmt: skip
    two = replace(
        one, name=f"{group}.{verb}_2", title=f"**ours**, {verb}, two processes", peer=one.name,
        options={**more, "processes": 2},
    )  # fmt: skip
    return one, two


def _compares() -> tuple[Case, ...]:
    def ours(items: int, name: str = "", title: str = "", memory_mb: float | None = None, **options: int) -> Case:
        return Case(
            f"compare.{name}{items}", f"**ours**, 2 x {items:,}{title}", "ours:compare", "small", items,
            memory_goal_mb=memory_mb, options=options, only_full=items > MANY,
        )  # fmt: skip

    million, bounded = 2_000_000, (", one process", BOUNDED_MB)
    whole = "DuckDB, rows as structs (`71` and `71.0` differ), 2 x 2,000,000"
    beside = Case("compare.duckdb", whole, "peers:duckdb_compare", "small", million, "duckdb", only_full=True)
    return (
        beside,
        ours(20_000),
        ours(200_000),
        replace(ours(million, memory_mb=COMPARE_MB), peer=beside.name, goal=10.0),
        ours(200_000, "one_", *bounded, workers=1),
        ours(million, "one_", *bounded, workers=1),
    )


def _sandboxes() -> tuple[Case, ...]:
    def pair(group: str, verb: str, kind: str, items: int) -> tuple[Case, Case]:
        plain = Case(f"{group}.moto", "moto, as installed", f"ours:server_{verb}", kind, items, server="moto")
        own = replace(plain, name=f"{group}.ours", title="**the sandbox**", server="sandbox", peer=plain.name)
        return plain, own

    return (
        Case("sandbox-start.up", "`ops sandbox up`", "ours:sandbox_up", "small", 1, goal=5.0),
        Case("sandbox-start.down", "`ops sandbox down`", "ours:sandbox_down", "small", 1, goal=1.0),
        *pair("sandbox-write", "write", "small", 10_000),
        *pair("sandbox-write-track", "write", "track", 2_000),
        *pair("sandbox-scan", "scan", "small", 5_000),
        *pair("sandbox-scan-track", "scan", "track", 2_000),
    )


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
    "processes.write_2": 1.7,
    "processes.scan_2": 1.6,
    "processes.fingerprint_2": 1.8,
    **{f"sandbox-{what}.ours": 5.0 for what in ("write", "write-track", "scan", "scan-track")},
}

#: Ten times the items may cost at most this much: (smaller, larger, limit). Few items are compared in one process.
GROWTH = (
    ("compare.20000", "compare.one_200000", 11.0),
    ("compare.200000", "compare.2000000", 11.0),
    ("compare.one_200000", "compare.one_2000000", 11.0),
)
