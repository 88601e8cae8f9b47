"""What a run measures of itself and of a server."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.window import Window

SERVER = """
import sys, time
for _ in sys.stdin:
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    print("done", flush=True)
"""


def test_the_processor_time_of_a_server_counts_apart_from_the_clients_and_only_inside_the_window() -> None:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        with Window(server.pid) as window:
            server.stdin.write("work\n")
            server.stdin.flush()
            server.stdout.readline()
        with Window(server.pid) as idle:
            pass
        server.stdin.close()
    assert window.server_cpu_s >= 0.2 > idle.server_cpu_s
    assert window.cpu_s < window.server_cpu_s


def test_without_a_server_only_the_process_itself_is_measured() -> None:
    with Window() as window:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
    assert window.server_cpu_s == 0.0 and window.cpu_s >= 0.02
