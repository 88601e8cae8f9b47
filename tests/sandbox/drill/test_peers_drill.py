"""What other tools got wrong in cleaning up, by name; see `tests/contract/test_peers.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ops.drill.cleanup import collect
from ops.errors import Throttled
from ops.progress import SilentProgress
from ops.runs import resume_run

if TYPE_CHECKING:
    from tests.sandbox.drill.conftest import DrillLab

# Keep-alive connections of ended scan threads are closed by the garbage collector, which Python reports.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]


class SecondPageFails:
    """One table to a page, and the second page is throttled."""

    def __init__(self) -> None:
        self._asked = 0

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        if operation == "ListTables":
            params["Limit"] = 1
            self._asked += 1
            if self._asked == 2:
                raise Throttled("ListTables was throttled")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """The answer is not of interest."""


def test_empty_listing_in_a_clean_up(lab: DrillLab) -> None:
    """A listing that failed looked to restic's prune like an empty repository (github.com/restic/restic/issues/4612).

    Here the clean-up of a drill that sees half of the tables removes nothing, and does it all when it sees them.
    """
    report = lab.drill("mass-delete", keep=True)
    kept = set(lab.drill_tables())
    known: dict[str, Any] = {"environment": lab.environment, "clock": lab.clock, "progress": SilentProgress()}
    with resume_run(lab.runs, report.run, lab.clock) as run:
        with pytest.raises(Throttled):
            collect(run, aws=lab.aws.observed_by(SecondPageFails()), **known)
        assert set(lab.drill_tables()) == kept == {report.subject_table, report.restored_table}
        assert kept <= set(collect(run, aws=lab.aws, **known).removed)
