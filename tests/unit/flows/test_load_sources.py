"""What the errors of a load say on the command line."""

from __future__ import annotations

import pytest

from loader.errors import LoaderError, RunFolderUnusable, SourceForbidden, SourceUnavailable
from ops.flows.load_sources import translated

RUN = "01JD7Q0000000000000AB12CD3"


@pytest.mark.parametrize(
    ("error", "code"),
    [(SourceUnavailable("top-tracks was throttled 5 times in 85 s of waiting"), 9), (RunFolderUnusable("full"), 1)],
)
def test_what_can_be_gone_on_with_names_the_run_to_resume(error: LoaderError, code: int) -> None:
    found = translated(error, RUN)
    assert found.exit_code == code
    assert found.fix[-1] == f"ops load ... --resume {RUN}"
    assert not [line for line in found.fix if "it resumes" in line]


def test_a_source_that_is_closed_for_good_is_not_resumed() -> None:
    found = translated(SourceForbidden("closed"), RUN)
    assert found.exit_code == 8
    assert not [line for line in found.fix if "--resume" in line]
