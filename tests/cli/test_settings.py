"""`ops settings` as a process against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.recovery_stage import Stage


@pytest.fixture
def bare(stage: Stage) -> Any:
    """A declared table that has nothing of its contract but keys and capacity."""
    table = stage.declare(items=1, pitr=False, stem="bare")
    stage.change(table, pitr_days=35)
    return table


def test_show_prints_what_aws_says(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "show", bare, "-o", "json")
    assert done.code == 0, done.err
    found = done.document["result"]["settings"]
    assert (found["pitr"], found["ttl"], found["stream"], found["billing_mode"]) == ("off", "off", "off", "PROVISIONED")


def test_diff_is_exit_4_with_each_setting(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "diff", bare, "-o", "json")
    document = done.document
    assert (done.code, document["errors"][0]["code"]) == (4, "OPS-E402")
    rows = {one["setting"]: (one["wanted"], one["found"]) for one in document["result"]["diff"]}
    assert rows["pitr"] == ("on", "off")
    assert rows["tags.owner"] == ("music", "none")
    assert {"ttl", "stream", "deletion_protection", "scaling.table.read", "scaling.genre_index.write"} <= set(rows)
    assert document["errors"][0]["fix"] == [f"ops settings apply {bare}"]


def test_apply_is_not_done_unasked(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "apply", bare)
    assert (done.code, done.out) == (7, "")
    assert "OPS-E702" in done.err
    assert "--yes" in done.err
    assert stage.ops("settings", "diff", bare).code == 4


def test_apply_puts_everything_right_and_reads_it_back(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "apply", bare, "--yes", "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert result["failed"] == []
    assert {"pitr", "ttl", "stream", "deletion_protection"} <= set(result["applied"])
    assert stage.ops("settings", "diff", bare).code == 0
    pitr = stage.dynamodb.describe_continuous_backups(TableName=bare)["ContinuousBackupsDescription"]
    assert pitr["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    again = stage.ops("settings", "apply", bare, "-o", "json")
    assert (again.code, again.document["result"]["applied"]) == (0, [])


def test_only_limits_what_is_applied(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "apply", bare, "--only", "pitr", "--yes", "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["applied"] == ["pitr"]
    rest = stage.ops("settings", "diff", bare, "-o", "json").document["result"]["diff"]
    assert {"ttl", "stream"} <= {one["setting"] for one in rest}
    assert "pitr" not in {one["setting"] for one in rest}


def test_an_interrupted_apply_goes_on_with_what_it_was_limited_to(stage: Stage, bare: str) -> None:
    stopped = stage.interrupted(
        "UpdateContinuousBackups", bare, "settings", "apply", bare, "--only", "pitr", "--yes", "--against", bare
    )
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    run = line.split("--resume ")[1].split()[0]
    wider = stage.ops("settings", "apply", bare, "--resume", run, "--only", "ttl", "--yes")
    assert (wider.code, "was begun with only pitr, not ttl" in wider.err) == (2, True), wider.err
    other = stage.declare(items=0)
    strange = stage.ops("settings", "apply", other, "--resume", run, "--yes")
    assert (strange.code, f"was begun with table {bare}, not {other}" in strange.err) == (2, True), strange.err
    for words in (line.split("ops ", 1)[1].split(), ["settings", "apply", bare, "--resume", run, "--yes"]):
        done = stage.ops(*words)
        assert done.code == 0, done.err
        rest = stage.ops("settings", "diff", bare, "-o", "json").document["result"]["diff"]
        assert {"ttl", "stream", "deletion_protection"} <= {one["setting"] for one in rest}
        assert "pitr" not in {one["setting"] for one in rest}


def test_settings_that_aws_takes_long_to_make_are_waited_for_no_longer_than_was_said(stage: Stage, bare: str) -> None:
    stage.control.set_durations(update_s=100.0)
    try:
        done = stage.ops("settings", "apply", bare, "--yes", "--timeout", "30s")
        restored = stage.ops("restore", stage.declare(items=1), "--latest", "--timeout", "30s")
    finally:
        stage.control.set_durations(update_s=0.0)
    for one in (done, restored):
        assert (one.code, "OPS-E1201" in one.err) == (12, True), one.err
    line = next(one for one in done.err.splitlines() if "--resume" in one)
    late = stage.ops(*line.split("ops ", 1)[1].split(), "--timeout", "1h")
    assert late.code == 0, late.err


def test_a_dry_run_lists_the_changes_and_makes_none(stage: Stage, bare: str) -> None:
    done = stage.ops("settings", "apply", bare, "--dry-run")
    assert done.code == 0, done.err
    assert "pitr" in done.out
    assert "nothing was changed" in done.out
    assert stage.ops("settings", "diff", bare).code == 4


def test_an_undeclared_table_needs_a_contract_to_be_held_against(stage: Stage, bare: str) -> None:
    stage.create(f"{bare}-free", pitr=False)
    done = stage.ops("settings", "diff", f"ddb:{bare}-free")
    assert (done.code, done.out) == (2, "")
    assert "--against" in done.err
    assert stage.ops("settings", "diff", f"ddb:{bare}-free", "--against", bare).code == 4


def test_the_settings_kept_beside_a_backup_are_a_contract_too(stage: Stage, tmp_path: Any) -> None:
    table = stage.declare(items=1)
    made = stage.ops("backup", table, "--fingerprint", "none", "-o", "json").document["result"]
    bucket, _, key = made["settings"].removeprefix("s3://").partition("/")
    stage.client("s3").download_file(bucket, key, str(tmp_path / "kept.json"))
    assert stage.ops("settings", "diff", table, "--against", str(tmp_path / "kept.json")).code == 0
    arn = stage.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    stage.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    stage.dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "new", "Value": "1"}])
    changed = stage.ops("settings", "diff", table, "--against", str(tmp_path / "kept.json"), "-o", "json")
    assert changed.code == 4
    assert [one["setting"] for one in changed.document["result"]["diff"]] == ["deletion_protection"]


def test_a_file_that_is_no_text_holds_no_settings(stage: Stage, bare: str, tmp_path: Any) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(bytes(range(256)))
    done = stage.ops("settings", "diff", bare, "--against", str(file))
    assert (done.code, "holds no settings" in done.err) == (2, True), done.err
