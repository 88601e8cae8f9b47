"""Keeps what a drill leaves for others to check: the report as JSON and as a page, and the digests of every file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from infra.schema import PROOF_METRIC, PROOF_NAMESPACE
from ops.aws import ControlPlane
from ops.environment import Environment
from ops.model.drill import DrillReport
from ops.report.html import render_drill
from ops.report.json import canonical
from ops.runs import Run

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
LEDGER = "ledger.jsonl"
DIGESTS = "digests.sha256"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Files of a finished drill."""

    json: Path
    html: Path
    ledger: Path
    digests: Path

    def as_dict(self) -> dict[str, str]:
        """For the `files` member of the JSON answer."""
        return {
            "json": str(self.json),
            "report": str(self.html),
            "ledger": str(self.ledger),
            "digests": str(self.digests),
        }


def files_of(run: Run) -> Evidence:
    """Where the evidence of a run lies."""
    folder = run.folder
    return Evidence(folder / REPORT_JSON, folder / REPORT_HTML, folder / LEDGER, folder / DIGESTS)


def keep(run: Run, report: DrillReport) -> Evidence:
    """Write report and page, then the digests of all files, in the form that `sha256sum --check` reads.

    The journal ends with a line that holds the digests of the reports, so that journal and report vouch for
    each other; nothing is written to the journal after its own digest was taken.
    """
    run.save(REPORT_JSON, canonical(report) + "\n")
    run.save(REPORT_HTML, render_drill(report))
    found = files_of(run)
    run.write("report", verdict=report.verdict, report_json=_sha256(found.json), report_html=_sha256(found.html))
    names = [name for name in (REPORT_JSON, REPORT_HTML, LEDGER, "journal.jsonl") if (run.folder / name).is_file()]
    run.save(DIGESTS, "".join(f"{_sha256(run.folder / name)}  {name}\n" for name in names))
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish_proof(control: ControlPlane, environment: Environment, logical: str) -> None:
    """Tell CloudWatch that a recovery was proven now: the alarm on the age of the newest proof counts from here."""
    dimensions = {"Stack": environment.document.stack, "Table": logical}
    datum = {
        "MetricName": PROOF_METRIC,
        "Value": 1.0,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    control.call("cloudwatch", "put_metric_data", Namespace=PROOF_NAMESPACE, MetricData=[datum])
