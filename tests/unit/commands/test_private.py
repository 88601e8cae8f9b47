"""A sandbox for one command: what it leaves when it cannot even begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.commands._context import App, GlobalOptions
from ops.commands._private import private_sandbox
from ops.commands._voice import Voice
from ops.config import load_settings
from ops.errors import StateFolderUnusable
from ops.sandbox import state


def test_a_full_disk_leaves_no_folder_and_names_the_variable_that_chooses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = state.private_folder()
    monkeypatch.setattr(state, "private_folder", lambda: folder)
    monkeypatch.setattr(state, "NEEDED_BYTES", 2**62)
    app = App(load_settings({}, {}, tmp_path, tmp_path), GlobalOptions(), Voice(quiet=True))
    with pytest.raises(StateFolderUnusable) as caught, private_sandbox(app, 10):
        pass
    assert not folder.exists()
    assert "TMPDIR=DIR" in caught.value.fix[0]
