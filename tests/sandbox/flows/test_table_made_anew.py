"""A run that is resumed into another table of the same name: what it wrote is not there, and it must not go on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ops.errors import PlanStale
from ops.flows.load_sources import LoadOptions
from ops.flows.loading import prepare, run_load
from ops.flows.loading_items import ItemsOptions, load_items
from ops.runs import open_run, resume_run
from tests.cli.recovery_stage import track
from tests.sandbox.flows.import_kit import Bench, line


def made_anew(bench: Bench) -> None:
    """The table deleted and made again, empty."""
    bench.stage.dynamodb.delete_table(TableName=bench.logical)
    bench.stage.dynamodb.get_waiter("table_not_exists").wait(TableName=bench.logical, WaiterConfig={"Delay": 1})
    bench.stage.advance(60)
    bench.stage.create(bench.logical)


def test_items_are_not_loaded_from_where_a_run_stood_into_a_table_made_anew(bench: Bench, tmp_path: Path) -> None:
    path, session = tmp_path / "items.jsonl", bench.session
    path.write_bytes(b"\n".join(line(track(number)) for number in range(100, 160)))
    options = ItemsOptions(str(path), mode="put-new")
    with open_run(tmp_path / "runs", ["load"], session.clock, session.random) as run:
        load_items(session, run, bench.target, options, io.BytesIO(), lambda plan: None)
    with resume_run(tmp_path / "runs", run.id, session.clock) as again:
        assert load_items(session, again, bench.target, options, io.BytesIO(), lambda plan: None).absent == 0
    made_anew(bench)
    with (
        resume_run(tmp_path / "runs", run.id, session.clock) as again,
        pytest.raises(PlanStale, match="before it was made anew"),
    ):
        load_items(session, again, bench.target, options, io.BytesIO(), lambda plan: None)
    assert bench.items() == {}


def test_tracks_are_not_loaded_from_where_a_run_stood_into_a_table_made_anew(bench: Bench, tmp_path: Path) -> None:
    tracks, artists, session = tmp_path / "tracks.csv", tmp_path / "artists.csv", bench.session
    tracks.write_text(f"artist_id,id,name\n{'a' * 22},{'t' * 22},One\n")
    artists.write_text(f"artist_id,name,genre\n{'a' * 22},A,rock\n")
    bench.empty()
    options = LoadOptions(str(tracks), ("SE",), artists=str(artists))
    with open_run(tmp_path / "runs", ["load"], session.clock, session.random) as run:
        prepared = prepare(session, bench.target, options, run, lambda: False, tmp_path)
        assert run_load(session, prepared, run).errors == ()
    assert len(bench.items()) == 1
    with resume_run(tmp_path / "runs", run.id, session.clock) as again:
        prepared = prepare(session, bench.target, options, again, lambda: False, tmp_path)
        assert run_load(session, prepared, again).errors == ()
    made_anew(bench)
    with resume_run(tmp_path / "runs", run.id, session.clock) as again:
        prepared = prepare(session, bench.target, options, again, lambda: False, tmp_path)
        with pytest.raises(PlanStale, match="before it was made anew"):
            run_load(session, prepared, again)
