"""Event loops around the Pulumi SDK: one per run of a program, one per call that arrives on its thread pool."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import mocks, settings

Answer = TypeVar("Answer")


def _silent_logger() -> logging.Logger:
    """The SDK logs each failure of a registration and the run raises it: a library prints neither."""
    logger = logging.Logger("pulumi")
    logger.addHandler(logging.NullHandler())
    return logger


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop set as current. After a failure the SDK leaves futures whose exception nobody retrieves; the
    failure itself is raised by the run, so asyncio need not log its copies whenever they are collected."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    return loop


def on_own_loop(act: Callable[[], Answer]) -> Answer:
    """`act` on a thread that may have no event loop: the SDK's serializers want one, and would leave it open."""
    if asyncio._get_running_loop() is not None:
        return act()
    loop = _new_loop()
    try:
        return act()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def run_program(monitor: mocks.MockMonitor, project: str, stack: str, main: Callable[[], Any]) -> None:
    """Run `main` as a Pulumi program against `monitor`, to the last registration.

    The order matters: `set_mocks` makes a root stack of its own unless one is set, and an output of an
    earlier run on a closed loop would be waited for without end.
    """
    loop = _new_loop()
    settings.SETTINGS.outputs.clear()
    settings.SETTINGS.rpc_manager.clear()
    placeholder: Any = monitor
    nothing: Any = None
    settings.set_root_resource(placeholder)
    mocks.set_mocks(
        monitor.mocks, project=project, stack=stack, preview=False, logger=_silent_logger(), monitor=monitor
    )
    settings.set_root_resource(nothing)

    def program() -> None:
        main()

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    finally:
        settings.set_root_resource(nothing)
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()
