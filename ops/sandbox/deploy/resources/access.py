"""IAM roles and what they may do."""

import json

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map


def _role_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    iam, name = client("iam"), new["name"]
    if "assumeRolePolicy" in changed:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=new["assumeRolePolicy"])
    if changed & {"description", "maxSessionDuration"}:
        extra = {"MaxSessionDuration": int(new["maxSessionDuration"])} if new.get("maxSessionDuration") else {}
        iam.update_role(RoleName=name, Description=new.get("description", ""), **extra)
    if "tags" in changed:
        iam.tag_role(RoleName=name, Tags=[{"Key": key, "Value": value} for key, value in new["tags"].items()])


def _role_read(client: Client, record: Record) -> Document:
    role = plain(client("iam").get_role(RoleName=record.inputs["name"]))["Role"]
    found = fields(role, name="RoleName", description="Description", maxSessionDuration="MaxSessionDuration")
    found["assumeRolePolicy"] = json.dumps(role["AssumeRolePolicyDocument"])
    return {**found, "tags": tag_map(role.get("Tags"))}


def _policy_read(client: Client, record: Record) -> Document:
    inputs = record.inputs
    answer = plain(client("iam").get_role_policy(RoleName=inputs["role"], PolicyName=inputs["name"]))
    return {
        **fields(answer, role="RoleName", name="PolicyName"),
        "policy": json.dumps(answer["PolicyDocument"]),
    }


def _attachment_read(client: Client, record: Record) -> Document:
    role, arn = record.inputs["role"], record.inputs["policyArn"]
    answer = plain(client("iam").list_attached_role_policies(RoleName=role))
    held = {policy["PolicyArn"] for policy in answer["AttachedPolicies"]}
    return {"role": role, "policyArn": arn if arn in held else None}


SPECS = {
    "aws:iam/role:Role": Spec(
        "iam",
        "create_role",
        rename={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        outputs={"arn": "o.Role.Arn", "uniqueId": "o.Role.RoleId"},
        update=_role_update,
        delete=("delete_role", {"RoleName": "i.name"}),
        read=_role_read,
    ),
    "aws:iam/rolePolicy:RolePolicy": Spec(
        "iam",
        "put_role_policy",
        id="join(':', [i.role, i.name])",
        rename={"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"},
        upsert=True,
        identity=("name", "role"),
        delete=("delete_role_policy", {"RoleName": "i.role", "PolicyName": "i.name"}),
        read=_policy_read,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Spec(
        "iam",
        "attach_role_policy",
        id="join('/', [i.role, i.policyArn])",
        rename={"role": "RoleName"},
        identity=("role", "policyArn"),
        lacking=("NoSuchEntity",),
        delete=("detach_role_policy", {"RoleName": "i.role", "PolicyArn": "i.policyArn"}),
        read=_attachment_read,
    ),
}
