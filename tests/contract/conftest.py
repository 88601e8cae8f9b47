"""The neighbours' fixtures: a peer's mistake is provoked with the means of the tests beside which it belongs."""

from tests.cli.conftest import stage as stage
from tests.infra.conftest import endpoint as endpoint
from tests.infra.conftest import stack as stack
from tests.sandbox.flows.conftest import bench as bench
from tests.sandbox.flows.conftest import session as session
from tests.unit.infra.conftest import record as record
from tests.unit.recovery.conftest import clock as clock
from tests.unit.recovery.conftest import run as run
