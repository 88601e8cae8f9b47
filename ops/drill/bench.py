"""What every step of a drill works with: the guarded door, the names, the clock with its marks, the notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from infra.environment import TableDocument
from ops.aws import Aws
from ops.clock import Clock
from ops.drill.calls import CallRecorder
from ops.drill.guard import DrillGuard, drill_name, drill_parameters, drill_pointer
from ops.drill.measure import Moment, Pause
from ops.drill.scenario import Scenario
from ops.environment import Environment, TableTarget
from ops.model.drill import CountSample
from ops.model.items import KeySchema
from ops.model.recovery import PhaseTime
from ops.progress import Progress
from ops.runs import Run

#: A drill that was forgotten may be removed by anyone after this time; it stands in the names.
EXPIRES_AFTER = timedelta(hours=24)
RESTORED_SUFFIX = "-restored"


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """What is to be drilled. Targets left None are those of the environment document; a seed left None is drawn.

    `writes` is the number of good writes before the fault; `keep` leaves the drill tables for a look;
    `cannot` is what this backend is known not to prove, beyond what every sandbox report says. `where` holds the
    options that lead to the same environment again; left empty they name its stack.
    """

    scenario: str
    logical: str
    seed: int | None = None
    rto_s: float | None = None
    rpo_s: float | None = None
    keep: bool = False
    writes: int = 60
    cannot: tuple[str, ...] = ()
    where: str = ""


class NotedClock:
    """The environment's clock; in a sandbox it notes what was advanced instead of waited, by phase."""

    def __init__(self, clock: Clock, simulated: bool) -> None:
        self._clock = clock
        self._simulated = simulated
        self.label = "preparing"
        self.advanced: dict[str, float] = {}

    def now(self) -> datetime:
        """The instant."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds for intervals."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep, and note it when the sandbox's clock was moved for it."""
        if self._simulated and seconds > 1:
            self.advanced[self.label] = self.advanced.get(self.label, 0.0) + seconds
        self._clock.sleep(seconds)


@dataclass(slots=True)
class Bench:
    """One drill at work. The frozen part says what is drilled; the lists below it grow as the drill goes on."""

    request: DrillRequest
    scenario: Scenario
    seed: int
    aws: Aws
    environment: Environment
    document: TableDocument
    source: TableTarget
    clock: NotedClock
    progress: Progress
    run: Run
    guard: DrillGuard
    recorder: CallRecorder
    subject: str
    restored: str
    pointer: str
    parameters: str
    started: datetime
    started_s: float
    moments: list[Moment] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    phases: list[PhaseTime] = field(default_factory=list)
    counts: list[tuple[float, CountSample]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def schema(self) -> KeySchema:
        """Keys of the table."""
        sort = self.document.sort_key
        return KeySchema(
            self.document.partition_key.name,
            self.document.partition_key.type,
            sort.name if sort else None,
            sort.type if sort else None,
        )

    @property
    def index_keys(self) -> tuple[str, ...]:
        """Attributes that are keys of an index, without the table's own."""
        names = [
            key.name
            for index in self.document.indexes
            for key in (index.partition_key, index.sort_key)
            if key is not None and key.name not in self.schema.names
        ]
        return tuple(dict.fromkeys(names))

    def chance(self, purpose: str) -> Random:
        """A stream of chance of its own for each purpose, so that one choice does not shift the others."""
        return Random(f"{self.seed}:{purpose}")

    def mark(self, name: str, source: str) -> Moment:
        """Take a mark now; it stands in the journal too."""
        moment = Moment(name, self.clock.now(), self.clock.monotonic(), source)
        self.moments.append(moment)
        self.run.write("mark", name=name, at=moment.at.isoformat(), source=source)
        return moment

    def moment(self, name: str) -> Moment:
        """A mark taken earlier; KeyError when it was not."""
        for one in self.moments:
            if one.name == name:
                return one
        raise KeyError(name)

    def count(self, expected: int, present: int, note: str) -> None:
        """A counted moment for the plot of items over time."""
        self.counts.append((self.clock.monotonic(), CountSample(0.0, expected, present, note)))

    def decide(self, text: str) -> None:
        """A line of the decision log."""
        self.decisions.append(text)
        self.run.write("decision", text=text)
        self.progress.note(text)

    def warn(self, code: str, text: str) -> None:
        """A warning for the report and for whoever watches."""
        self.warnings.append((code, text))
        self.progress.warn(code, text)

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """A named, measured part; simulated waiting inside it is noted under its name."""
        start, began, outer = self.clock.now(), self.clock.monotonic(), self.clock.label
        self.clock.label = name
        try:
            with self.progress.phase(name, detail):
                yield
        finally:
            self.clock.label = outer
            self.phases.append(PhaseTime(name, start, round(self.clock.monotonic() - began, 3)))

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Time inside is the control's and no part of the recovery."""
        began = self.clock.monotonic()
        try:
            yield
        finally:
            self.pauses.append(Pause(began, self.clock.monotonic()))


def open_bench(
    request: DrillRequest,
    scenario: Scenario,
    *,
    aws: Aws,
    environment: Environment,
    clock: Clock,
    progress: Progress,
    run: Run,
    random: Random,
) -> Bench:
    """Names, guard and recorder of a new drill; nothing has been asked of AWS yet."""
    document = environment.declared(request.logical)
    noted = NotedClock(clock, environment.is_sandbox)
    now, id8 = noted.now(), run.id8
    project, stack = environment.document.project, environment.document.stack
    parameters = drill_parameters(project, stack, id8)
    guard = DrillGuard(
        id8,
        parameters,
        bucket=environment.document.export_bucket,
        exports=f"{environment.document.export_prefix}/drill-{id8}/",
    )
    recorder = CallRecorder()
    expiry = now + EXPIRES_AFTER
    return Bench(
        request=request,
        scenario=scenario,
        seed=random.getrandbits(32) if request.seed is None else request.seed,
        aws=aws.observed_by(guard, recorder),
        environment=environment,
        document=document,
        source=environment.table(request.logical),
        clock=noted,
        progress=progress,
        run=run,
        guard=guard,
        recorder=recorder,
        subject=drill_name(id8, expiry, request.logical),
        restored=drill_name(id8, expiry, request.logical, RESTORED_SUFFIX),
        pointer=drill_pointer(project, stack, id8, request.logical),
        parameters=parameters,
        started=now,
        started_s=noted.monotonic(),
    )
