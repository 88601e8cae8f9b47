"""The server process: ready file, end, port, admin routes."""

from __future__ import annotations

import json
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ops.errors import SandboxNotRunning
from ops.sandbox.control import SandboxClock, SandboxControl


def test_the_server_is_ready_within_five_seconds_of_its_own_work_and_ends_within_one_of_sigterm(
    tmp_path: Path, server_starter: Any
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process, ready = server_starter(tmp_path)
    status = SandboxControl(f"http://127.0.0.1:{ready['port']}").status()
    assert (status["service"], status["token"]) == ("dynamo-ops sandbox", ready["token"])
    assert ready["pid"] == process.pid
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=5)
    assert time.monotonic() - asked < 1
    # processor time, not the clock on the wall: other work on the machine is not the server's
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5


def test_the_ready_file_is_private_to_its_owner(tmp_path: Path, server_starter: Any) -> None:
    process, _ = server_starter(tmp_path)
    try:
        assert stat.S_IMODE((tmp_path / "aws.json").stat().st_mode) == 0o600
    finally:
        process.terminate()
        process.wait(timeout=5)


def test_a_taken_port_ends_the_process_with_one_line_on_stderr(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "ops.sandbox.server", "--folder", str(tmp_path), "--port", str(port)],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and f"127.0.0.1:{port}" in done.stderr
    assert not (tmp_path / "aws.json").exists()


def test_durations_come_from_flags_and_from_the_environment() -> None:
    from ops.sandbox.server import arguments, durations_of

    options = arguments(["--folder", "/x", "--export-s", "7"], {"OPS_SANDBOX_RESTORE_S": "3"})
    found = durations_of(options)
    assert (found.export_s, found.restore_s, found.pitr_lag_s) == (7.0, 3.0, 300.0)


def test_the_clock_advances_and_never_runs_back(lab: Any) -> None:
    before = lab.clock.now()
    lab.control.advance(3600)
    assert 3600 <= (lab.clock.now() - before).total_seconds() < 3700
    with pytest.raises(ValueError, match="advance_s"):
        lab.control.advance(-1)


def test_a_long_sleep_advances_the_sandbox_and_a_short_one_really_sleeps(lab: Any) -> None:
    clock = SandboxClock(lab.control)
    real, inside, before = time.monotonic(), clock.monotonic(), clock.now()
    clock.sleep(500)
    assert time.monotonic() - real < 5
    assert clock.monotonic() - inside >= 500
    assert (clock.now() - before).total_seconds() >= 500
    real = time.monotonic()
    clock.sleep(0.05)
    assert time.monotonic() - real >= 0.05


def test_all_services_live_on_the_sandbox_clock(lab: Any) -> None:
    table = lab.table(pitr=False)
    created = lab.dynamodb.describe_table(TableName=table)["Table"]["CreationDateTime"]
    assert abs((lab.clock.now() - created).total_seconds()) < 60
    bucket = lab.name("clock")
    lab.client("s3").create_bucket(Bucket=bucket)
    lab.client("s3").put_object(Bucket=bucket, Key="object", Body=b"x")
    modified = lab.client("s3").head_object(Bucket=bucket, Key="object")["LastModified"]
    assert abs((lab.clock.now() - modified).total_seconds()) < 60


def test_the_account_is_123456789012(lab: Any) -> None:
    assert lab.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_aws_managed_policies_can_be_attached(lab: Any) -> None:
    iam, role = lab.client("iam"), lab.name("role")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [arn]


def test_an_unknown_admin_route_is_a_404_that_names_the_known_ones(lab: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{lab.endpoint}/moto-api/sandbox/nonsense", timeout=5)
    with caught.value as error:
        assert error.code == 404
        assert "POST clock" in json.loads(error.read())["error"]


def test_control_says_so_when_nothing_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SandboxNotRunning):
        SandboxControl(f"http://127.0.0.1:{port}").status()


def test_what_moto_lacks_is_refused_by_name_and_not_as_a_server_error(lab: Any) -> None:
    code = lab.refusal(lab.dynamodb.describe_table_replica_auto_scaling, TableName="none")
    assert code == "NotImitatedBySandbox"


def test_a_statement_that_is_not_understood_is_refused_and_changes_nothing(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a", n={"N": "1"})
    execute = lab.dynamodb.execute_statement
    for statement in (f"UPDATE \"{table}\" SET n = n + 1 WHERE pk = 'a' AND n = 1 RETURNING ALL OLD *", "nonsense"):
        assert lab.refusal(execute, Statement=statement) in ("NotImitatedBySandbox", "ValidationException")
    values = [{"S": "b"}]
    code = lab.refusal(execute, Statement=f"INSERT INTO \"{table}\" VALUE {{'pk': ?}}", Parameters=values)
    assert code == "NotImitatedBySandbox"
    assert list(lab.scan(table).values()) == [{"pk": {"S": "a"}, "n": {"N": "1"}}]


def test_the_control_module_needs_only_the_standard_library() -> None:
    text = "import sys, ops.sandbox.control; print(sorted(m for m in ('moto','boto3','werkzeug') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "[]"
