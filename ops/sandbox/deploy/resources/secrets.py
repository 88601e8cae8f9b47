"""Keys, secrets and parameters."""

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.resources.storage import tag_list
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

# -- keys -------------------------------------------------------------------------------------------


def _key_after(client: Client, inputs: Inputs, response: Document) -> None:
    if inputs.get("enableKeyRotation"):
        client("kms").enable_key_rotation(KeyId=response["KeyMetadata"]["KeyId"])


def _key_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    kms = client("kms")
    if "description" in changed:
        kms.update_key_description(KeyId=record.id, Description=new["description"])
    if "policy" in changed:
        kms.put_key_policy(KeyId=record.id, PolicyName="default", Policy=new["policy"])
    if "tags" in changed:
        kms.tag_resource(KeyId=record.id, Tags=tag_list(new["tags"], "TagKey", "TagValue"))


def _key_read(client: Client, record: Record) -> Document:
    kms = client("kms")
    found = fields(plain(kms.describe_key(KeyId=record.id)), description="KeyMetadata.Description")
    found["enableKeyRotation"] = kms.get_key_rotation_status(KeyId=record.id)["KeyRotationEnabled"]
    found["policy"] = kms.get_key_policy(KeyId=record.id, PolicyName="default")["Policy"]
    tags = kms.list_resource_tags(KeyId=record.id)["Tags"]
    return {**found, "tags": tag_map(tags, "TagKey", "TagValue")}


def _alias_read(client: Client, record: Record) -> Document:
    aliases = plain(client("kms").list_aliases(KeyId=record.inputs["targetKeyId"]))["Aliases"]
    mine = [alias for alias in aliases if alias["AliasName"] == record.inputs["name"]]
    return fields(mine[0] if mine else {}, name="AliasName", targetKeyId="TargetKeyId")


# -- secrets and parameters -------------------------------------------------------------------------


def _secret_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    secrets = client("secretsmanager")
    if changed & {"description", "kmsKeyId"}:
        secrets.update_secret(SecretId=record.id, Description=new["description"], KmsKeyId=new["kmsKeyId"])
    if "tags" in changed:
        secrets.tag_resource(SecretId=record.id, Tags=tag_list(new["tags"]))


def _secret_read(client: Client, record: Record) -> Document:
    answer = plain(client("secretsmanager").describe_secret(SecretId=record.id))
    found = fields(answer, name="Name", description="Description", kmsKeyId="KmsKeyId")
    return {**found, "tags": tag_map(answer.get("Tags"))}


def _parameter_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    """Overwriting takes no tags, so these go their own way."""
    ssm, name = client("ssm"), new["name"]
    if "tags" in changed:
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=tag_list(new["tags"]))
    if changed - {"tags"}:
        ssm.put_parameter(
            Name=name,
            Value=new["value"],
            Type=new["type"],
            Tier=new["tier"],
            Description=new["description"],
            Overwrite=True,
        )


def _parameter_read(client: Client, record: Record) -> Document:
    ssm, name = client("ssm"), record.inputs["name"]
    held = plain(ssm.get_parameter(Name=name, WithDecryption=True))["Parameter"]
    condition = {"Key": "Name", "Option": "Equals", "Values": [name]}
    described = plain(ssm.describe_parameters(ParameterFilters=[condition]))["Parameters"][0]
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    return {
        **fields(held, name="Name", value="Value", type="Type"),
        **fields(described, description="Description", tier="Tier"),
        "tags": tag_map(tags),
    }


SPECS = {
    "aws:kms/key:Key": Spec(
        "kms",
        "create_key",
        id="o.KeyMetadata.KeyId",
        skip=("enableKeyRotation", "deletionWindowInDays"),
        after=_key_after,
        outputs={"arn": "o.KeyMetadata.Arn", "keyId": "o.KeyMetadata.KeyId"},
        identity=("enableKeyRotation",),
        update=_key_update,
        delete=("schedule_key_deletion", {"KeyId": "id"}),
        read=_key_read,
        unread={"deletionWindowInDays": "used when the key is deleted"},
    ),
    "aws:kms/alias:Alias": Spec(
        "kms",
        "create_alias",
        rename={"name": "AliasName"},
        delete=("delete_alias", {"AliasName": "i.name"}),
        read=_alias_read,
    ),
    "aws:secretsmanager/secret:Secret": Spec(
        "secretsmanager",
        "create_secret",
        id="o.ARN",
        skip=("recoveryWindowInDays",),
        outputs={"arn": "o.ARN"},
        update=_secret_update,
        delete=("delete_secret", {"SecretId": "id"}),
        read=_secret_read,
        unread={"recoveryWindowInDays": "used when the secret is deleted"},
    ),
    "aws:ssm/parameter:Parameter": Spec(
        "ssm",
        "put_parameter",
        outputs={"version": "o.Version"},
        identity=("name", "type"),
        update=_parameter_update,
        delete=("delete_parameter", {"Name": "i.name"}),
        read=_parameter_read,
    ),
}
