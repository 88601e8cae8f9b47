"""What other tools got wrong on the way into S3 and out of it, by name; see `test_peers.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ops.aws import Aws
from ops.errors import ExportCorrupt, Throttled
from ops.flows import backing_up, exporting, importing
from ops.model.recovery import ImportResult
from ops.progress import SilentProgress
from ops.recovery import backups, exports
from ops.recovery.manifest import open_export
from ops.runs import open_run
from tests.cli.recovery_stage import BUCKET, Stage
from tests.sandbox.flows.import_kit import Bench
from tests.unit.recovery.kit import HOME, items, written_export


class Before(SilentProgress):
    """Does something just before a phase of the work begins."""

    def __init__(self, **acts: Callable[[], object]) -> None:
        self._acts = acts

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        if name in self._acts:
            self._acts[name]()
        yield


class Away:
    """Data objects of an export that are not there for a while."""

    def __init__(self, stage: Stage, manifest: str) -> None:
        self._s3 = stage.client("s3")
        folder = manifest.removeprefix(f"s3://{BUCKET}/").removesuffix("manifest-summary.json")
        self._held = {
            key: self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in stage.objects(f"{folder}data/")
        }

    def take(self) -> None:
        for key in self._held:
            self._s3.delete_object(Bucket=BUCKET, Key=key)

    def put_back(self) -> None:
        for key, body in self._held.items():
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def imported(bench: Bench, manifest: str, target: str, progress: SilentProgress) -> ImportResult:
    session = replace(bench.session, progress=progress)
    with open_run(bench.folder / "runs", ["import-s3"], session.clock, session.random) as run:
        return importing.import_source(session, run, importing.ImportOptions(manifest, target))


def test_import_says_done(bench: Bench) -> None:
    """ministack calls a CSV import COMPLETED that imported zero items (github.com/ministackorg/ministack/issues/1741).

    Once AWS counts honestly, once it claims every item: either way the items of the table itself decide.
    """
    manifest, _ = bench.full()
    objects = Away(bench.stage, manifest)
    unread = Before(**{"import": objects.take}, prove=objects.put_back)
    counted = imported(bench, manifest, f"{bench.logical}-counted", unread)
    assert counted.written == 0

    emptied = Before(prove=lambda: bench.empty(f"{bench.logical}-claimed"))
    claimed = imported(bench, manifest, f"{bench.logical}-claimed", emptied)
    assert claimed.written == 40

    for result, codes in ((counted, {"OPS-E403", "OPS-E401"}), (claimed, {"OPS-E401"})):
        assert result.proof is not None
        assert (result.proof.missing, result.proof.equal) == (40, False)
        assert {one.code for one in importing.problems(result)} == codes


def test_bytes_only_at_restore() -> None:
    """restic 0.16.0 corrupted some data, seen only when it was read (github.com/restic/restic/issues/4523).

    Here one flipped bit anywhere in any object of an export is found without restoring, whatever gzip says of it.
    """
    stored = written_export([items("a", "b"), items("c")])
    for key in stored.data_keys:
        good = stored.objects[key]
        for at in range(len(good)):
            stored.objects[key] = good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
            found = open_export(stored, f"s3://backups/{HOME}/manifest-summary.json").verify(SilentProgress())
            assert [name for name, _ in found.files_bad] == [key], at
        stored.objects[key] = good
    whole = open_export(stored, f"s3://backups/{HOME}/manifest-summary.json").verify(SilentProgress())
    assert (whole.files_ok, whole.files_bad) == (2, ())


def test_bytes_only_at_restore_of_a_fresh_export(bench: Bench) -> None:
    """pgBackRest 2.23: a file that vanished during the backup broke its manifest, which was seen at the restore.

    Here an export counts only after every file was read back: not at the restore, but now.
    """
    seen: list[str] = []

    def lose_one() -> None:
        seen.append(next(key for key in bench.stage.objects(f"exports/{bench.logical}/") if "/data/" in key))
        bench.stage.client("s3").delete_object(Bucket=BUCKET, Key=seen[0])

    session = replace(bench.session, progress=Before(bytes=lose_one))
    with (
        open_run(bench.folder / "runs", ["export-s3"], session.clock, session.random) as run,
        pytest.raises(ExportCorrupt) as caught,
    ):
        exporting.export_table(session, run, bench.target, exporting.ExportOptions())
    assert seen[0] in caught.value.why


@pytest.mark.parametrize("name", ["settings.json", "records.jsonl.gz", "seal.json"])
@pytest.mark.parametrize("fault", ["s3_flip", "s3_cut", "s3_missing"])
def test_bytes_only_at_restore_of_a_seal(bench: Bench, fault: str, name: str) -> None:
    """The same for what is kept beside a backup: each object is read back, and the seal comes last."""
    session, kept = bench.session, f"exports/seals/{bench.logical}/"
    with open_run(bench.folder / "runs", ["backup"], session.clock, session.random) as run:
        bench.stage.control.set_fault(fault, match=name)
        try:
            with pytest.raises(ExportCorrupt) as caught:
                backing_up.back_up(session, run, bench.target, backing_up.BackupOptions())
        finally:
            bench.stage.control.clear_faults()
        assert "CreateBackup" in caught.value.changed
        assert name == "seal.json" or not any(one.endswith("seal.json") for one in bench.stage.objects(kept))
        assert backing_up.back_up(session, run, bench.target, backing_up.BackupOptions()).items == 40


ONE_A_PAGE = {"list_backups": "Limit", "list_exports": "MaxResults", "list_objects_v2": "MaxKeys"}


class SecondPageFails(Aws):
    """Lists one entry a page, and is throttled at every second page."""

    def __init__(self) -> None:
        super().__init__(region="us-east-1")
        self._asked = 0

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> dict[str, Any]:
        if operation in ONE_A_PAGE:
            self._asked += 1
            if self._asked % 2 == 0:
                raise Throttled(f"{operation} was throttled")
            params[ONE_A_PAGE[operation]] = 1
        return super().call(service, operation, region=region, **params)


def test_empty_listing(bench: Bench) -> None:
    """A listing that failed looked to restic's prune like an empty repository (github.com/restic/restic/issues/4612).

    Here whatever is decided by a listing is not decided by half of it.
    """
    manifest, moment = bench.full()
    bench.full()
    aws = SecondPageFails()
    for number in range(2):
        bench.stage.dynamodb.create_backup(TableName=bench.logical, BackupName=f"nightly-{number}")
        bench.stage.advance(30)
    with pytest.raises(Throttled):
        backups.list_backups(aws, bench.logical)
    with pytest.raises(Throttled):
        exports.find_export(aws, bench.arn(), moment)
    opened = open_export(aws, manifest)
    with pytest.raises(Throttled):
        opened.strangers()
    tables = bench.stage.tables_now()
    session = replace(bench.session, aws=aws)
    with (
        open_run(bench.folder / "runs", ["import-s3"], session.clock, session.random) as run,
        pytest.raises(Throttled),
    ):
        importing.import_source(session, run, importing.ImportOptions(manifest, f"{bench.logical}-half"))
    assert bench.stage.tables_now() == tables
