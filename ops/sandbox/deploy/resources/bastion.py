"""An instance and its profile."""

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map


def _instance_shape(inputs: Inputs) -> Inputs:
    """RunInstances takes the network interface, the profile and the root disk as structures."""
    interface = {
        "deviceIndex": 0,
        "subnetId": inputs["subnetId"],
        "groups": inputs["vpcSecurityGroupIds"],
        "associatePublicIpAddress": inputs["associatePublicIpAddress"],
    }
    found = {
        "imageId": inputs["ami"],
        "instanceType": inputs["instanceType"],
        "minCount": 1,
        "maxCount": 1,
        "networkInterfaces": [interface],
        "iamInstanceProfile": {"name": inputs["iamInstanceProfile"]},
        "metadataOptions": inputs["metadataOptions"],
        "tagSpecifications": [{"resourceType": "instance", "tags": inputs["tags"]}],
    }
    if inputs.get("rootBlockDevice"):
        found["blockDeviceMappings"] = [{"deviceName": "/dev/xvda", "ebs": inputs["rootBlockDevice"]}]
    return found


def _instance_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    tags = [{"Key": key, "Value": value} for key, value in new["tags"].items()]
    client("ec2").create_tags(Resources=[record.id], Tags=tags)


def _instance_read(client: Client, record: Record) -> Document:
    ec2 = client("ec2")
    instance = plain(ec2.describe_instances(InstanceIds=[record.id]))["Reservations"][0]["Instances"][0]
    found = fields(
        instance,
        ami="ImageId",
        instanceType="InstanceType",
        subnetId="SubnetId",
        vpcSecurityGroupIds="NetworkInterfaces[].Groups[].GroupId",
        metadataOptions="MetadataOptions.{httpEndpoint: HttpEndpoint, httpTokens: HttpTokens}",
    )
    profile = str((instance.get("IamInstanceProfile") or {}).get("Arn"))
    volumes = [disk["Ebs"]["VolumeId"] for disk in instance.get("BlockDeviceMappings") or []]
    held = plain(ec2.describe_volumes(VolumeIds=volumes[:1]))["Volumes"][0]
    return {
        **found,
        "iamInstanceProfile": profile.rsplit("/", 1)[-1],
        "associatePublicIpAddress": bool(instance.get("PublicIpAddress")),
        "rootBlockDevice": fields(held, encrypted="Encrypted", volumeSize="Size", volumeType="VolumeType"),
        "tags": tag_map(instance.get("Tags")),
    }


def _profile_after(client: Client, inputs: Inputs, _: Document) -> None:
    client("iam").add_role_to_instance_profile(InstanceProfileName=inputs["name"], RoleName=inputs["role"])


def _profile_read(client: Client, record: Record) -> Document:
    answer = plain(client("iam").get_instance_profile(InstanceProfileName=record.inputs["name"]))
    profile = answer["InstanceProfile"]
    found = fields(profile, name="InstanceProfileName", role="Roles[0].RoleName")
    return {**found, "tags": tag_map(profile.get("Tags"))}


SPECS = {
    "aws:ec2/instance:Instance": Spec(
        "ec2",
        "run_instances",
        id="o.Instances[0].InstanceId",
        shape=_instance_shape,
        outputs={"arn": "join('', ['arn:aws:ec2:instance/', o.Instances[0].InstanceId])"},
        identity=(
            "ami",
            "instanceType",
            "subnetId",
            "vpcSecurityGroupIds",
            "iamInstanceProfile",
            "metadataOptions",
            "rootBlockDevice",
            "associatePublicIpAddress",
        ),
        update=_instance_update,
        delete=("terminate_instances", {"InstanceIds": "[id]"}),
        read=_instance_read,
    ),
    "aws:iam/instanceProfile:InstanceProfile": Spec(
        "iam",
        "create_instance_profile",
        rename={"name": "InstanceProfileName"},
        skip=("role",),
        after=_profile_after,
        outputs={"arn": "o.InstanceProfile.Arn"},
        delete=("delete_instance_profile", {"InstanceProfileName": "i.name"}),
        read=_profile_read,
    ),
}
