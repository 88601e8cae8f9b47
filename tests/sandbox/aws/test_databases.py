"""RDS restores with real rows: every restored instance is a PostgreSQL server of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.clock import SystemClock
from ops.sandbox import postgres, processes, second_servers
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.state import private_folder, remove_folder

Rows = list[tuple[int]]


class Rds:
    """A sandbox with a bound PostgreSQL."""

    def __init__(self, lab: Any, first: PostgresServer, folder: Path) -> None:
        self.lab, self.first, self.folder, self.api = lab, first, folder, lab.client("rds")

    def instance(self, **more: Any) -> str:
        name: str = self.lab.name("db")
        self.api.create_db_instance(
            DBInstanceIdentifier=name, Engine="postgres", EngineVersion="18.1", DBInstanceClass="db.t4g.micro",
            AllocatedStorage=20, MasterUsername="loader", ManageMasterUserPassword=True, DBName=self.first.database,
            BackupRetentionPeriod=7, **more,
        )  # fmt: skip
        return name

    def describe(self, name: str) -> Any:
        return self.api.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    def secret(self, name: str) -> dict[str, str]:
        arn = self.describe(name)["MasterUserSecret"]["SecretArn"]
        text = self.lab.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        return dict(json.loads(text))

    def run(self, name: str, statement: str, password: str | None = None) -> Rows:
        """A statement on the database of the instance, by the endpoint that RDS reports."""
        endpoint = self.describe(name)["Endpoint"]
        with psycopg.connect(
            host=endpoint["Address"], port=endpoint["Port"], dbname=self.first.database, user=self.first.username,
            password=password or self.first.password, autocommit=True,
        ) as connection:  # fmt: skip
            cursor = connection.execute(statement)
            return [] if cursor.description is None else [(int(row[0]),) for row in cursor.fetchall()]

    def count(self, name: str, password: str | None = None) -> int:
        return self.run(name, "SELECT count(*) FROM songs", password)[0][0]

    def restored(self, source: str, **more: Any) -> str:
        name: str = self.lab.name("db")
        self.api.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=source, TargetDBInstanceIdentifier=name, **more
        )
        self.lab.control.advance(21)
        return name

    def snapshot(self, source: str) -> str:
        name: str = self.lab.name("snap")
        self.api.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier=name)
        return name

    def from_snapshot(self, snapshot: str, **more: Any) -> str:
        name: str = self.lab.name("db")
        self.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot, **more)
        self.lab.control.advance(21)
        return name


@pytest.fixture(scope="module")
def rds(
    tmp_path_factory: pytest.TempPathFactory, server_starter_of_the_module: Callable[..., Any], make_lab: Any
) -> Iterator[Rds]:
    clock, folder = SystemClock(), private_folder()
    first = postgres.start(folder, clock)
    process, ready = server_starter_of_the_module(tmp_path_factory.mktemp("rds"))
    lab = make_lab(f"http://127.0.0.1:{ready['port']}")
    lab.control.bind_database(
        engine="postgres", address=first.address, port=first.port, username=first.username,
        password=first.password, database=first.database,
    )  # fmt: skip
    yield Rds(lab, first, folder)
    process.terminate()
    process.wait(timeout=5)
    for data in second_servers.folders(folder):
        for record in processes.find(f"-D {data}"):
            postgres.stop(record, clock)
    postgres.stop(first.process, clock)
    remove_folder(folder)


@pytest.fixture
def source(rds: Rds) -> str:
    """An instance with 1,000 songs."""
    name = rds.instance()
    rds.run(name, "DROP TABLE IF EXISTS songs")
    rds.run(name, "CREATE TABLE songs AS SELECT generate_series(1, 1000) AS id")
    return name


def test_a_restored_instance_has_the_rows_of_the_chosen_instant_in_a_database_of_its_own(rds: Rds, source: str) -> None:
    before = rds.lab.second()
    rds.run(source, "DELETE FROM songs WHERE id > 10")
    rds.lab.control.advance(400)
    restored = rds.restored(source, RestoreTime=before)
    assert (rds.count(restored), rds.count(source)) == (1000, 10)
    rds.run(restored, "INSERT INTO songs VALUES (5000)")
    assert (rds.count(restored), rds.count(source)) == (1001, 10)


def test_several_instants_of_one_database_are_restored_each_as_it_was(rds: Rds, source: str) -> None:
    seen: list[tuple[datetime, int]] = []
    for limit in (800, 500, 200):
        rds.run(source, f"DELETE FROM songs WHERE id > {limit}")
        seen.append((rds.lab.second(), limit))
    rds.lab.control.advance(400)
    for moment, limit in reversed(seen):
        assert rds.count(rds.restored(source, RestoreTime=moment)) == limit


def test_the_latest_restorable_time_trails_by_five_minutes_and_latest_restores_it(rds: Rds, source: str) -> None:
    rds.lab.control.advance(600)
    rds.run(source, "DELETE FROM songs")
    shown = rds.describe(source)["LatestRestorableTime"]
    assert timedelta(seconds=295) < rds.lab.clock.now() - shown < timedelta(seconds=305)
    assert rds.count(rds.restored(source, UseLatestRestorableTime=True)) == 1000


def test_a_restore_time_outside_the_window_or_with_latest_is_refused(rds: Rds, source: str) -> None:
    call = {"SourceDBInstanceIdentifier": source, "TargetDBInstanceIdentifier": rds.lab.name("db")}
    restore, now = rds.api.restore_db_instance_to_point_in_time, rds.lab.clock.now()
    assert rds.lab.refusal(restore, **call, RestoreTime=now) == "InvalidRestoreFault"
    assert rds.lab.refusal(restore, **call) == "InvalidParameterCombination"
    both = {"UseLatestRestorableTime": True, "RestoreTime": now}
    assert rds.lab.refusal(restore, **call, **both) == "InvalidParameterCombination"


def test_without_backup_retention_there_is_no_point_in_time_restore(rds: Rds, source: str) -> None:
    rds.api.modify_db_instance(DBInstanceIdentifier=source, BackupRetentionPeriod=0)
    call = {"SourceDBInstanceIdentifier": source, "TargetDBInstanceIdentifier": rds.lab.name("db")}
    refused = rds.lab.refusal(rds.api.restore_db_instance_to_point_in_time, **call, UseLatestRestorableTime=True)
    assert refused == "PointInTimeRestoreNotEnabled"


def test_a_snapshot_restores_the_rows_of_its_instant_also_as_a_copy(rds: Rds, source: str) -> None:
    snapshot, copy = rds.snapshot(source), rds.lab.name("copy")
    rds.run(source, "TRUNCATE songs")
    rds.api.copy_db_snapshot(SourceDBSnapshotIdentifier=snapshot, TargetDBSnapshotIdentifier=copy)
    assert [rds.count(rds.from_snapshot(one)) for one in (snapshot, copy)] == [1000, 1000]
    assert rds.count(source) == 0


def test_a_restored_instance_is_creating_first_and_has_no_endpoint_yet(rds: Rds, source: str) -> None:
    name = rds.lab.name("db")
    rds.api.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=rds.snapshot(source))
    found = rds.describe(name)
    assert found["DBInstanceStatus"] == "creating" and "Endpoint" not in found
    rds.lab.control.advance(21)
    found = rds.describe(name)
    assert found["DBInstanceStatus"] == "available" and found["Endpoint"]["Port"] != rds.first.port


def test_a_restore_resets_groups_zones_and_protection_unless_the_request_names_them(rds: Rds) -> None:
    ec2, lab = rds.lab.client("ec2"), rds.lab
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    zones = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"us-east-1{letter}")
        for number, letter in enumerate("ab")
    ]
    group, parameters = lab.name("subnets"), lab.name("parameters")
    security = ec2.create_security_group(GroupName=lab.name("sg"), Description="d", VpcId=vpc)["GroupId"]
    rds.api.create_db_subnet_group(
        DBSubnetGroupName=group, DBSubnetGroupDescription="d",
        SubnetIds=[one["Subnet"]["SubnetId"] for one in zones],
    )  # fmt: skip
    rds.api.create_db_parameter_group(
        DBParameterGroupName=parameters, DBParameterGroupFamily="postgres18", Description="d"
    )
    own = {
        "MultiAZ": True, "DeletionProtection": True, "DBSubnetGroupName": group,
        "VpcSecurityGroupIds": [security], "DBParameterGroupName": parameters,
    }  # fmt: skip
    source = rds.instance(**own, EnableIAMDatabaseAuthentication=True)
    snapshot = rds.snapshot(source)

    def settings(name: str) -> dict[str, Any]:
        found = rds.describe(name)
        return {
            "MultiAZ": found["MultiAZ"], "DeletionProtection": found["DeletionProtection"],
            "DBSubnetGroupName": found.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
            "VpcSecurityGroupIds": [one["VpcSecurityGroupId"] for one in found["VpcSecurityGroups"]],
            "DBParameterGroupName": found["DBParameterGroups"][0]["DBParameterGroupName"],
        }  # fmt: skip

    assert settings(source) == own
    rds.lab.control.advance(400)
    for name in (rds.from_snapshot(snapshot), rds.restored(source, UseLatestRestorableTime=True)):
        lost = settings(name)
        assert all(lost[member] != own[member] for member in own), lost
        assert (lost["MultiAZ"], lost["DeletionProtection"]) == (False, False)
        assert lost["DBParameterGroupName"].startswith("default.")
        assert not rds.describe(name)["IAMDatabaseAuthenticationEnabled"]
        assert "MasterUserSecret" not in rds.describe(name)
        assert rds.describe(name)["BackupRetentionPeriod"] == 7
    assert settings(rds.from_snapshot(snapshot, **own)) == own
    assert "MasterUserSecret" in rds.describe(source)


def test_a_restored_instance_gets_its_own_managed_secret_by_a_modification(rds: Rds, source: str) -> None:
    restored = rds.from_snapshot(rds.snapshot(source))
    rds.api.modify_db_instance(DBInstanceIdentifier=restored, ManageMasterUserPassword=True)
    secret = rds.secret(restored)
    assert secret["password"] != rds.secret(source)["password"] == rds.first.password
    assert rds.count(restored, secret["password"]) == 1000
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        rds.count(restored)
    assert rds.count(source) == 1000


def test_a_deleted_instance_takes_its_database_along_and_comes_back_from_its_final_snapshot(
    rds: Rds, source: str
) -> None:
    final = rds.lab.name("final")
    rds.api.delete_db_instance(DBInstanceIdentifier=source, FinalDBSnapshotIdentifier=final)
    with (
        pytest.raises(psycopg.OperationalError, match="does not exist"),
        postgres.connect(rds.first, rds.first.database),
    ):
        pass
    assert postgres.problem(rds.first) == ""
    assert rds.count(rds.from_snapshot(final)) == 1000
    with pytest.raises(psycopg.errors.UndefinedTable):
        rds.count(rds.instance())


def test_retained_backups_of_a_deleted_instance_restore_it_by_its_resource_id(rds: Rds, source: str) -> None:
    identifier, before = rds.describe(source)["DbiResourceId"], rds.lab.second()
    rds.lab.control.advance(400)
    rds.api.delete_db_instance(DBInstanceIdentifier=source, SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    (kept,) = rds.api.describe_db_instance_automated_backups(DBInstanceIdentifier=source)["DBInstanceAutomatedBackups"]
    assert (kept["Status"], kept["DbiResourceId"]) == ("retained", identifier)
    name = rds.lab.name("db")
    rds.api.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=identifier, TargetDBInstanceIdentifier=name, RestoreTime=before
    )
    rds.lab.control.advance(21)
    assert rds.count(name) == 1000
    assert rds.lab.refusal(rds.api.describe_db_instances, DBInstanceIdentifier=source) == "DBInstanceNotFound"


def test_a_deleted_restored_instance_leaves_no_server(rds: Rds, source: str) -> None:
    known = set(second_servers.folders(rds.folder))
    restored = rds.from_snapshot(rds.snapshot(source))
    (made,) = set(second_servers.folders(rds.folder)) - known
    assert processes.find(f"-D {made}")
    rds.api.delete_db_instance(DBInstanceIdentifier=restored, SkipFinalSnapshot=True)
    assert not made.exists() and not processes.find(f"-D {made}")


def test_what_cannot_be_restored_truly_is_refused(rds: Rds, source: str) -> None:
    restored = rds.from_snapshot(rds.snapshot(source))
    call = {"DBInstanceIdentifier": restored, "DBSnapshotIdentifier": rds.lab.name("snap")}
    assert rds.lab.refusal(rds.api.create_db_snapshot, **call) == "NotImitatedBySandbox"
