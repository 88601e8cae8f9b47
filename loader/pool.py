"""Bounded concurrency whose caller never waits for a request that hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
WAIT_S = 0.05


class Failure(Exception):
    """Carries what a task raised out of its thread."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Crew(Generic[Task, Result]):
    """Daemon threads: unlike those of an executor, they do not keep a process from ending."""

    def __init__(self, work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> None:
        self._work = work
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.results: queue.Queue[Result | Failure] = queue.Queue(maxsize=workers * 8)
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                with self._lock:
                    task = next(self._tasks)
            except StopIteration:
                return
            self._put(self._attempt(task))

    def _attempt(self, task: Task) -> Result | Failure:
        try:
            return self._work(task)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            return Failure(error)

    def _put(self, result: Result | Failure) -> None:
        while not self.ended.is_set():
            try:
                self.results.put(result, timeout=WAIT_S)
            except queue.Full:
                continue
            return


def run_all(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result | Failure | None]:
    """Results as they come, in no order; None when nothing came for a moment, so that the caller can look up.

    Closing the iterator stops the threads after the request each is in; nobody waits for them.
    """
    crew = _Crew(work, tasks, workers)
    try:
        while True:
            busy = any(thread.is_alive() for thread in crew.threads)
            try:
                yield crew.results.get(timeout=WAIT_S if busy else 0)
            except queue.Empty:
                if not busy:
                    return
                yield None
    finally:
        crew.ended.set()
