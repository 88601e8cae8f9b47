"""Where exports and evidence go, with the stack's keys and the secret of the track source."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.bucket import BucketArgs, guarded_bucket
from infra.encryption import DELETION_DAYS, stack_key
from infra.options import component_type, keeps_data
from infra.settings import EvidenceSettings


@dataclass(frozen=True, slots=True)
class StorageArgs:
    """`key_regions` are the Regions besides home in which the stack keeps encrypted copies."""

    prefix: str
    account: str
    bucket_name: str
    retention_days: int
    tags: dict[str, str]
    evidence: EvidenceSettings | None = None
    key_regions: Sequence[str] = ()


class Storage(pulumi.ComponentResource):
    """Keys, export bucket, evidence bucket when asked for, and an empty secret for the track source."""

    key: aws.kms.Key
    keys: dict[str, aws.kms.Key]
    bucket: aws.s3.Bucket
    evidence: aws.s3.Bucket | None
    source_secret: aws.secretsmanager.Secret

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Storage"), name, None, opts)
        self._name, self._args = name, args
        self.key = self._key(name, None)
        self.keys = {region: self._key(f"{name}-{region}", region) for region in args.key_regions}
        self.bucket = guarded_bucket(
            name, BucketArgs(args.bucket_name, self.key.arn, args.retention_days, args.tags), self
        )
        self.evidence = self._evidence(args.evidence) if args.evidence else None
        self.source_secret = self._source_secret()
        self.register_outputs({"bucket": self.bucket.bucket, "keyArn": self.key.arn})

    def _key(self, name: str, region: str | None) -> aws.kms.Key:
        args = self._args
        return stack_key(name, self, prefix=args.prefix, account=args.account, tags=args.tags, region=region)

    def _evidence(self, settings: EvidenceSettings) -> aws.s3.Bucket:
        """Reports and seals of drills: nobody deletes them before their time, and none lasts for ever."""
        args = self._args
        locked = BucketArgs(
            bucket_name=settings.bucket_name or f"{args.prefix}-evidence-{args.account}",
            key_arn=self.key.arn,
            retention_days=settings.lock_days + 1,
            tags=args.tags,
            lock_days=settings.lock_days,
            lock_mode=settings.lock_mode,
        )
        return guarded_bucket("evidence", locked, self)

    def _source_secret(self) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{self._name}-source",
            name=f"{self._args.prefix}/source",
            description="Client id and secret of the track API; set by hand, never by the program",
            kms_key_id=self.key.arn,
            recovery_window_in_days=DELETION_DAYS,
            tags=self._args.tags,
            opts=keeps_data(self),
        )
