"""`ops` as a process: start-up, usage errors, documents, signals."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ops.cli import hoist


def ops(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "ops", *words], capture_output=True, text=True, env={**os.environ, **environ}, timeout=60
    )


def test_help_loads_neither_boto3_nor_pulumi_nor_moto() -> None:
    script = (
        "import sys\nfrom ops.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        "heavy = {'boto3', 'botocore', 'pulumi', 'moto', 'psycopg', 'jinja2', 'requests'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "ops sandbox up" in done.stdout


@pytest.mark.parametrize("words", [["--no-such-flag"], ["no-such-command"], ["explain"], ["explain", "E603", "extra"]])
def test_usage_errors_exit_2_and_print_nothing_on_stdout(words: list[str]) -> None:
    done = ops(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Try 'ops" in done.stderr


def test_a_usage_error_still_gives_one_document_when_asked_for_json() -> None:
    done = ops("explain", "--json")
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert (document["ok"], document["exit"]) == (False, 2)


def test_an_error_has_cause_change_and_next_command_and_no_traceback() -> None:
    done = ops("explain", "E999")
    assert done.returncode == 2
    assert done.stderr.startswith("error OPS-E202 no error code E999\n")
    assert "\n  changed: nothing was changed\n" in done.stderr
    assert "\n  next: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_json_document_is_complete_on_success() -> None:
    done = ops("explain", "E603", "-o", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "ops.explain/1"
    assert set(document) == {
        "schema", "ok", "exit", "run", "environment", "backend", "started", "seconds", "dry_run", "result",
        "warnings", "errors", "next",
    }  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["backup", "t", "--env", "dev"], ["--env", "dev", "backup", "t"]),
        (["backup", "t", "--env=dev", "-v"], ["--env=dev", "-v", "backup", "t"]),
        (["scan", "t", "--where", "a > 1", "--json"], ["--json", "scan", "t", "--where", "a > 1"]),
        (["get", "t", "--", "-v"], ["get", "t", "--", "-v"]),
    ],
)
def test_global_options_may_stand_after_the_command(given: list[str], wanted: list[str]) -> None:
    assert hoist(given) == wanted


def test_a_closed_stdout_is_no_failure() -> None:
    done = subprocess.run(
        f"{sys.executable} -m ops explain E603 | true", shell=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_answer_that_does_not_fit_on_the_disk_is_a_failure_that_is_said(form: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ops", "explain", "E603", "-o", form],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error OPS-E108 the answer could not be written to stdout\n  why: No space left")
    assert "Traceback" not in done.stderr


def test_the_c_locale_gets_ascii_only() -> None:
    done = ops("explain", "caf\xe9 \x1b[31m", LC_ALL="C")
    assert done.returncode == 2
    assert done.stderr.startswith("error OPS-E202 no error code caf\\u00e9 \\u001b[31m\n")
    assert done.stderr.isascii()


def test_no_control_character_of_an_argument_reaches_the_terminal() -> None:
    assert "\x1b" not in ops("explain", "\x1b[31mE1").stderr


def test_the_way_out_names_the_command_that_was_given() -> None:
    done = ops("restore", "top_tracks", OPS_ENV="dev")
    assert done.returncode == 2
    assert done.stderr.startswith("error OPS-E202 choose one of --at T, --latest, --backup ARN, --deleted\n")
    assert "next: ops restore --help" in done.stderr


def test_without_credentials_both_ways_to_some_are_named() -> None:
    gone = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    done = ops("status", OPS_ENV="dev", AWS_CONFIG_FILE="/nowhere", AWS_SHARED_CREDENTIALS_FILE="/nowhere", **gone)
    assert done.returncode == 8
    assert "set AWS_PROFILE" in done.stderr
    assert 'next: for a sandbox: eval "$(ops sandbox status --export)"' in done.stderr
