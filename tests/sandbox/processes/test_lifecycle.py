"""Up, status, down: with every part real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.artists import Database, read_artists
from ops.clock import SystemClock
from ops.errors import Locked, OpsError, PortTaken, SandboxBroken, SandboxNotRunning, StateFolderUnusable
from ops.progress import SilentProgress
from ops.sandbox import children, lifecycle, postgres, processes
from ops.sandbox.ending import leftovers
from ops.sandbox.lifecycle import SandboxOptions, SandboxStatus
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.state import SandboxState, locked, write_state
from tests.sandbox.processes.conftest import Notes

# Importing pulumi_aws warns of its own deprecated aliases; as an error this would leave it half imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")


def pid(status: SandboxStatus, name: str) -> int:
    return next(part.pid for part in status.parts if part.name == name)


def processes_of(folder: Path) -> list[int]:
    return [process.pid for process in leftovers(folder)]


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60  # a loaded machine takes its time to start three processes
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_sandbox_has_three_parts_that_prove_who_they_are(shared: SandboxStatus) -> None:
    assert shared.running
    assert shared.action == "started"
    assert [part.name for part in shared.parts] == ["postgres", "spotify", "aws"]
    assert all(part.ok for part in shared.parts)


def test_the_environment_document_leads_to_the_database_and_the_source(shared: SandboxStatus) -> None:
    import boto3

    from infra.environment import EnvironmentDocument, parameter_path

    def client(service: str) -> object:
        return boto3.client(service, endpoint_url=shared.endpoint, region_name="us-east-1")

    parameter = client("ssm").get_parameter(Name=parameter_path("dynamo-ops", "sandbox"))  # type: ignore[attr-defined]
    document = EnvironmentDocument.from_json(parameter["Parameter"]["Value"])
    assert document.environment_class == "sandbox"
    assert document.source is not None
    assert document.database is not None
    secrets = client("secretsmanager")

    def secret(arn: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])  # type: ignore[attr-defined]
        return found

    assert set(secret(document.source.secret_arn)) == {"client_id", "client_secret"}
    assert document.source.api_url == f"{shared.source_url}/v1"
    login = secret(document.database.secret_arn)
    source = document.database
    database = Database(
        source.engine, source.address, source.port, source.database, login["username"], lambda: login["password"]
    )
    assert len(read_artists(database)) == shared.artists == 20


def test_a_second_up_starts_nothing_and_says_so(shared: SandboxStatus, notes: Notes) -> None:
    again = lifecycle.up(SandboxOptions(shared.folder, items=200), notes)
    assert again.action == "unchanged"
    assert [part.pid for part in again.parts] == [part.pid for part in shared.parts]
    assert any("already runs" in text for text in notes.said)


def test_other_options_on_a_second_up_are_not_silently_ignored(shared: SandboxStatus, notes: Notes) -> None:
    lifecycle.up(SandboxOptions(shared.folder, items=999, seed=3), notes)
    assert any("down first" in text for text in notes.said)


def test_export_lines_are_what_a_shell_needs(shared: SandboxStatus) -> None:
    script = "\n".join([*lifecycle.export_lines(shared), 'echo "$AWS_ENDPOINT_URL $OPS_ENV $OPS_PROJECT"'])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [shared.endpoint, "sandbox", "dynamo-ops"]


def test_a_ctrl_c_of_the_terminal_does_not_reach_the_children(shared: SandboxStatus) -> None:
    own = os.getpgid(0)
    for part in shared.parts:
        assert os.getpgid(part.pid) == part.pid != own


def test_a_killed_source_and_a_killed_database_are_started_again_where_they_were(
    shared: SandboxStatus, notes: Notes
) -> None:
    for name in ("spotify", "postgres"):
        os.kill(pid(lifecycle.status(shared.folder), name), signal.SIGKILL)
    broken = lifecycle.status(shared.folder)
    assert not broken.running
    assert {part.name for part in broken.parts if not part.ok} == {"spotify", "postgres"}
    with pytest.raises(SandboxBroken, match="does not answer"):
        lifecycle.require_running(shared.folder)
    mended = lifecycle.up(SandboxOptions(shared.folder, items=200), notes)
    assert mended.action == "repaired"
    assert mended.source_url == shared.source_url
    assert lifecycle.require_running(shared.folder).running
    found = mended.database
    assert found is not None
    login = Database("postgres", found.address, found.port, found.database, found.username, lambda: found.password)
    assert len(read_artists(login)) == shared.artists


def test_a_killed_aws_is_reported_with_the_only_way_out_and_down_cleans_up(folder: Path, notes: Notes) -> None:
    found = lifecycle.up(SandboxOptions(folder, items=50), notes)
    os.kill(pid(found, "aws"), signal.SIGKILL)
    assert wait_until(lambda: not lifecycle.status(folder).running)
    with pytest.raises(SandboxBroken, match="AWS stand-in") as caught:
        lifecycle.up(SandboxOptions(folder, items=50), notes)
    assert caught.value.fix == ("ops sandbox down && ops sandbox up",)
    began = time.monotonic()
    assert lifecycle.down(folder)
    assert time.monotonic() - began < 3
    assert not folder.exists()
    assert processes_of(folder) == []
    assert not lifecycle.down(folder)


def test_down_works_when_the_state_file_is_cut(folder: Path, notes: Notes) -> None:
    lifecycle.up(SandboxOptions(folder, items=50), notes)
    path = folder / "state.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(SandboxBroken, match="damaged"):
        lifecycle.status(folder)
    with pytest.raises(SandboxBroken, match="damaged"):
        lifecycle.up(SandboxOptions(folder, items=50), notes)
    assert len(processes_of(folder)) == 3
    assert lifecycle.down(folder)
    assert processes_of(folder) == []
    assert not folder.exists()


def test_an_up_that_was_killed_leaves_nothing_that_the_next_one_does_not_find(folder: Path, notes: Notes) -> None:
    program = (
        "import sys; from pathlib import Path; from ops.progress import SilentProgress\n"
        "from ops.sandbox.lifecycle import SandboxOptions, up\n"
        "up(SandboxOptions(Path(sys.argv[1]), items=50), SilentProgress())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder)]) as process:
        assert wait_until((folder / "aws.json").exists)
        process.kill()
    orphans = processes_of(folder)
    assert orphans
    found = lifecycle.up(SandboxOptions(folder, items=50), notes)
    assert found.action == "started"
    assert any("interrupted" in text for text in notes.said)
    assert not set(orphans) & set(processes_of(folder))


def test_a_taken_port_is_named_and_nothing_is_left(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(PortTaken, match=str(port)):
            lifecycle.up(SandboxOptions(folder, port=port), SilentProgress())
    assert not folder.exists()
    assert processes_of(folder) == []


def test_the_chosen_port_is_used(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    assert lifecycle.up(SandboxOptions(folder, items=50, port=port), SilentProgress()).endpoint.endswith(f":{port}")


def test_a_start_that_was_interrupted_is_one_error_and_one_that_is_at_work_is_named(tmp_path: Path) -> None:
    half = SandboxState("t", False, 50, 1, "", "2026-11-20T10:00:00Z", "id", "secret")
    write_state(tmp_path, half)
    for ask in (lifecycle.status, lifecycle.require_running):
        with pytest.raises(SandboxBroken, match="was interrupted") as caught:
            ask(tmp_path)
        assert caught.value.fix == ("ops sandbox up",)
    with locked(tmp_path), pytest.raises(Locked) as held:
        lifecycle.status(tmp_path)
    assert str(os.getpid()) in held.value.why


def test_a_failure_halfway_takes_everything_down_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> dict[str, object]:
        raise SandboxBroken("the program failed")

    monkeypatch.setattr(lifecycle, "provision", fail)
    with pytest.raises(SandboxBroken, match="the program failed"):
        lifecycle.up(SandboxOptions(folder, items=50), SilentProgress())
    assert processes_of(folder) == []
    assert not folder.exists()


def test_a_part_that_does_not_start_takes_down_those_that_are_still_starting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SandboxBroken("the source does not start")

    monkeypatch.setattr(children, "spawn_spotify", fail)
    with pytest.raises(SandboxBroken, match="the source does not start"):
        lifecycle.up(SandboxOptions(folder, items=50), SilentProgress())
    assert processes_of(folder) == []
    assert not folder.exists()


def test_no_sandbox_is_said_with_the_command_that_starts_one(tmp_path: Path) -> None:
    with pytest.raises(SandboxNotRunning) as caught:
        lifecycle.status(tmp_path / "nothing")
    assert caught.value.fix == ("ops sandbox up",)
    assert not lifecycle.down(tmp_path / "nothing")


def test_down_touches_no_folder_that_is_not_a_sandbox(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert not lifecycle.down(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_a_recycled_pid_is_never_signalled() -> None:
    with subprocess.Popen(["sleep", "30"]) as bystander:
        stranger = processes.ProcessRecord("aws", bystander.pid, "some other start time")
        assert not processes.alive(stranger)
        assert processes.stop(stranger, SystemClock(), first=signal.SIGKILL, grace_s=0.1)
        assert bystander.poll() is None
        bystander.kill()


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    child = processes.spawn("stubborn", ["sh", "-c", "trap '' TERM; echo ready; sleep 60"], log=tmp_path / "log")
    assert wait_until(lambda: (tmp_path / "log").read_text() != "")
    assert processes.stop(child, SystemClock(), first=signal.SIGTERM, grace_s=0.2)
    assert not processes.alive(child)


def test_a_process_that_leads_no_group_is_killed_as_well() -> None:
    command = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        stubborn = processes.record("stubborn", child.pid)
        try:
            assert processes.stop(stubborn, SystemClock(), first=signal.SIGTERM, grace_s=0.2)
            assert not processes.alive(stubborn)
        finally:
            child.kill()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the first thread's state is read from /proc")
def test_a_process_is_not_gone_while_one_of_its_threads_still_holds_its_files(tmp_path: Path) -> None:
    program = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print('ready', flush=True)\n"
        "time.sleep(0.2)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    child = processes.spawn("half", [sys.executable, "-c", program], log=tmp_path / "log")
    stat = Path(f"/proc/{child.pid}/stat")
    assert wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
    assert processes.alive(child)
    assert processes.stop(child, SystemClock(), first=signal.SIGKILL, grace_s=5)
    assert not processes.alive(child)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_that_fills_up_is_named_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Path("/tmp") / f"ops-small-{os.getpid()}"
    small.mkdir(mode=0o711)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m,mode=711", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        small.rmdir()
        pytest.skip("this container may not mount a file system; the RLIMIT_FSIZE test covers the write itself")
    try:
        with pytest.raises(StateFolderUnusable, match="MB free"):
            lifecycle.up(SandboxOptions(small / "sandbox"), SilentProgress())
        monkeypatch.setattr("ops.sandbox.state.NEEDED_BYTES", 0)
        with pytest.raises(OpsError) as caught:
            lifecycle.up(SandboxOptions(small / "sandbox"), SilentProgress())
        assert isinstance(caught.value, StateFolderUnusable)
        assert "space" in f"{caught.value}{caught.value.why}" or "full" in f"{caught.value}{caught.value.why}"
        assert not (small / "sandbox").exists()
        assert processes_of(small / "sandbox") == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
        small.rmdir()


def test_a_database_that_was_stopped_reports_why(shared: SandboxStatus) -> None:
    server = shared.database
    assert isinstance(server, PostgresServer)
    gone = PostgresServer(server.process, "/nonexistent", 5432, "music", "u", "p")
    assert "No such file" in postgres.problem(gone)


def test_a_process_that_only_names_the_folder_is_no_part_of_the_sandbox(tmp_path: Path) -> None:
    program = "import sys, time; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", program, "--folder", str(tmp_path)]) as bystander:
        assert processes_of(tmp_path) == []
        (tmp_path / "lock").touch()
        assert lifecycle.down(tmp_path)
        assert bystander.poll() is None
        bystander.kill()
