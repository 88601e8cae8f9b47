"""Names and addresses that AWS would refuse halfway through an update: refused by key before any resource."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.keys import ConfigError
from infra.settings import DatabaseSettings

if TYPE_CHECKING:
    from infra.config import StackConfig

# Longest of what is made of the prefix: a bucket (63) -evidence-ACCOUNT; a restore testing plan (50) -restore-testing.
_PREFIX_LENGTH, _PREFIX_LENGTH_TESTING = 41, 34
_PREFIX = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
_PRINCIPAL = re.compile(r"\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role)/[\w+=,.@/-]+)")
_TAG_VALUE = re.compile(r"[\w\s.:/=+@-]{0,256}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_S3_PREFIX = re.compile(r"[\w!.'()-]+(/[\w!.'()-]+)*", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SERVICE = re.compile(r"[a-z0-9.-]+")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?")
_HTTPS = re.compile(r"https://[^\s/]+(/\S*)?")
_CACHE_NODE = re.compile(r"dax\.[a-z0-9]+\.[a-z0-9]+")
_ARM_INSTANCE = re.compile(r"[a-z]+\d+g[a-z]*\.[a-z0-9]+")  # the g after the generation is Graviton
_IDENTIFIER = re.compile(r"[a-z](-?[a-z0-9]){0,62}")
_DATABASE_CLASS = re.compile(r"db\.[a-z0-9-]+\.[a-z0-9]+")
_DATABASE_NAME = re.compile(r"[A-Za-z]\w{0,62}", re.ASCII)
_USERNAMES = {"postgres": re.compile(r"[A-Za-z]\w{0,62}", re.ASCII), "mysql": re.compile(r"[A-Za-z]\w{0,15}", re.ASCII)}
_RESERVED_USERNAMES = ("rdsadmin", "rdsrepladmin", "rdstopmgr")
_VERSIONS = {
    "postgres": re.compile(r"1[1-9](\.\d+)?"),
    "mysql": re.compile(r"[5-9]\.\d+(\.\d+)?"),
    "aurora-postgresql": re.compile(r"1[1-9]\.\d+"),
    "aurora-mysql": re.compile(r"\d\.\d\.mysql_aurora\.\d+\.\d+\.\d+"),
}


def check_names(config: "StackConfig") -> None:
    """ConfigError names the first key whose value AWS does not take where it is used."""
    longest = _PREFIX_LENGTH_TESTING if config.backup.testing_schedule else _PREFIX_LENGTH
    if not _PREFIX.fullmatch(config.prefix) or len(config.prefix) > longest or not config.stack:
        raise ConfigError(
            f"{config.prefix}: the stack's name must be lower case letters, digits and hyphens, "
            f"{longest - len(config.project) - 1} at most: buckets, vaults and roles are named after it"
        )
    for key, value, pattern, meaning in _texts(config):
        if not pattern.fullmatch(value):
            raise ConfigError(f"{key}: {value!r} is not {meaning}")


def _texts(config: "StackConfig") -> Iterator[tuple[str, str, re.Pattern[str], str]]:
    """Key, value, what it must look like, and how to call that."""
    for principal in config.operator_principals:
        yield "operatorPrincipals", principal, _PRINCIPAL, "the ARN of a user or role, or an account, without wildcards"
    yield "owner", config.owner or "", _TAG_VALUE, "the value of a tag"
    if config.alarms.email:
        yield "alarmEmail", config.alarms.email, _EMAIL, "an address"
    yield (
        "exportPrefix",
        config.export_prefix,
        _S3_PREFIX,
        "a prefix of letters, digits and !.'()_-, parted by single /",
    )
    if config.export_bucket_name:
        yield "exportBucketName", config.export_bucket_name, _BUCKET, "the name of a bucket"
    if config.evidence and config.evidence.bucket_name:
        yield "evidenceBucketName", config.evidence.bucket_name, _BUCKET, "the name of a bucket"
    for service in config.interface_endpoints:
        yield "interfaceEndpoints", service, _SERVICE, "the name of a service"
    for key, url in (("sourceApiUrl", config.source_api_url), ("sourceAccountsUrl", config.source_accounts_url)):
        yield key, url, _LOOPBACK if url.startswith("http:") else _HTTPS, "an https address, nor one of this machine"
    if config.cache:
        yield "cacheNodeType", config.cache.node_type, _CACHE_NODE, "a node type such as dax.t3.small"
    if config.bastion_type:
        yield "bastionInstanceType", config.bastion_type, _ARM_INSTANCE, "an arm64 instance type such as t4g.nano"
    if config.database:
        yield from _database_texts(config.database)


def _database_texts(database: DatabaseSettings) -> Iterator[tuple[str, str, re.Pattern[str], str]]:
    yield "databaseIdentifier", database.identifier, _IDENTIFIER, "an RDS identifier"
    yield "databaseInstanceClass", database.instance_class, _DATABASE_CLASS, "a class such as db.t4g.micro"
    yield "databaseName", database.database, _DATABASE_NAME, "a letter and up to 62 letters, digits and _"
    user = database.username
    pattern = _USERNAMES["postgres" if database.postgres else "mysql"]
    free = re.compile("(?!)") if user.lower() in _RESERVED_USERNAMES else pattern
    yield "databaseUsername", user, free, f"a user name that {database.engine} takes"
    yield (
        "databaseEngineVersion",
        database.engine_version,
        _VERSIONS[database.engine],
        f"a version of {database.engine}",
    )
