"""EC2: the network an application lives in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New, listed
from rehearsal.deploy.request import as_text


def vpc(new: New) -> Made:
    """Make a VPC; its DNS settings are attributes set afterwards."""
    settings = {name: new.take(name) for name in ("EnableDnsSupport", "EnableDnsHostnames")}
    made = new.call("ec2", "create_vpc", tag_as="vpc")["Vpc"]
    vpc_id, client = made["VpcId"], new.client("ec2")
    for name, value in settings.items():
        if value is not None:
            client.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": as_text(value) == "true"}})
    groups = client.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    return Made(
        vpc_id,
        {
            "VpcId": vpc_id,
            "CidrBlock": made["CidrBlock"],
            "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
        },
    )


def subnet(new: New) -> Made:
    """Make a subnet."""
    public = new.take("MapPublicIpOnLaunch")
    made = new.call("ec2", "create_subnet", tag_as="subnet")["Subnet"]
    if public is not None:
        new.client("ec2").modify_subnet_attribute(
            SubnetId=made["SubnetId"], MapPublicIpOnLaunch={"Value": as_text(public) == "true"}
        )
    told = {name: made[name] for name in ("SubnetId", "AvailabilityZone", "VpcId", "CidrBlock") if name in made}
    return Made(made["SubnetId"], told)


def internet_gateway(new: New) -> Made:
    """Make an internet gateway."""
    made = new.call("ec2", "create_internet_gateway", tag_as="internet-gateway")["InternetGateway"]
    return Made(made["InternetGatewayId"], {"InternetGatewayId": made["InternetGatewayId"]})


def gateway_attachment(new: New) -> Made:
    """Attach an internet gateway to a VPC."""
    vpc_id = new.look("VpcId")
    new.call("ec2", "attach_internet_gateway")
    return Made(f"IGW|{vpc_id}")


def elastic_ip(new: New) -> Made:
    """Take an address."""
    made = new.call("ec2", "allocate_address", tag_as="elastic-ip")
    return Made(made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]})


def nat_gateway(new: New) -> Made:
    """Make a NAT gateway; it is steady when it is available."""
    made = new.call("ec2", "create_nat_gateway", tag_as="natgateway")["NatGateway"]["NatGatewayId"]
    client = new.client("ec2")

    def available() -> bool:
        found = client.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"]
        return bool(found and found[0]["State"] == "available")

    return Made(made, {"NatGatewayId": made}, available)


def route_table(new: New) -> Made:
    """Make a route table."""
    made = new.call("ec2", "create_route_table", tag_as="route-table")["RouteTable"]["RouteTableId"]
    return Made(made, {"RouteTableId": made})


def route(new: New) -> Made:
    """Add a route to a table."""
    towards = new.look("DestinationCidrBlock", new.look("DestinationIpv6CidrBlock"))
    table = new.look("RouteTableId")
    new.call("ec2", "create_route")
    return Made(f"{table}|{towards}", {"CidrBlock": towards})


def route_table_association(new: New) -> Made:
    """Have a subnet use a route table."""
    made = new.call("ec2", "associate_route_table")["AssociationId"]
    return Made(made, {"Id": made})


def security_group(new: New) -> Made:
    """
    Make a security group with its rules.

    A group whose outward rules are given loses the one AWS adds, which allows everything.
    """
    name = new.name("GroupName", longest=255)
    inward = _permissions(new, listed(new.take("SecurityGroupIngress")))
    outward = new.take("SecurityGroupEgress")
    if outward is not None:
        outward = _permissions(new, listed(outward))
    description = new.need("GroupDescription")
    made = new.call("ec2", "create_security_group", tag_as="security-group", GroupName=name, Description=description)[
        "GroupId"
    ]
    client = new.client("ec2")
    if inward:
        client.authorize_security_group_ingress(GroupId=made, IpPermissions=inward)
    if outward is not None:
        client.revoke_security_group_egress(
            GroupId=made, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )
        client.authorize_security_group_egress(GroupId=made, IpPermissions=outward)
    [found] = client.describe_security_groups(GroupIds=[made])["SecurityGroups"]
    return Made(made, {"GroupId": made, "VpcId": found["VpcId"]})


def security_group_ingress(new: New) -> Made:
    """Add an inward rule to a group."""
    return _rule(new, "authorize_security_group_ingress")


def security_group_egress(new: New) -> Made:
    """Add an outward rule to a group."""
    return _rule(new, "authorize_security_group_egress")


def _rule(new: New, operation: str) -> Made:
    group = new.need("GroupId")
    rule = {name: value for name in (*_ENDS, *_RULE) if (value := new.take(name)) is not None}
    new.nothing_left()
    answer = getattr(new.client("ec2"), operation)(GroupId=group, IpPermissions=_permissions(new, [rule]))
    made = (answer.get("SecurityGroupRules") or [{}])[0].get("SecurityGroupRuleId", new.made_up(longest=60))
    return Made(made, {"Id": made})


_RULE = ("IpProtocol", "FromPort", "ToPort", "Description")
# who may come in or be reached: CloudFormation's name, the API's list and its member
_ENDS = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "SourceSecurityGroupName": ("UserIdGroupPairs", "GroupName"),
    "SourceSecurityGroupOwnerId": ("UserIdGroupPairs", "UserId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
}


def _permissions(new: New, rules: Any) -> Any:
    """Return CloudFormation's rules as the API's IpPermissions; an unknown property stays and is refused there."""
    permissions: list[dict[str, Any]] = []
    for rule in rules:
        permission = {name: value for name, value in rule.items() if name not in (*_ENDS, "Description")}
        for name, (ends, member) in _ENDS.items():
            if name in rule:
                permission.setdefault(ends, [{}])[0][member] = rule[name]
                if "Description" in rule:
                    permission[ends][0]["Description"] = rule["Description"]
        permissions.append(permission)
    return new.shaped("ec2", "authorize_security_group_ingress", "IpPermissions", permissions)


MAKERS: Mapping[str, Maker] = {
    "AWS::EC2::EIP": elastic_ip,
    "AWS::EC2::InternetGateway": internet_gateway,
    "AWS::EC2::NatGateway": nat_gateway,
    "AWS::EC2::Route": route,
    "AWS::EC2::RouteTable": route_table,
    "AWS::EC2::SecurityGroup": security_group,
    "AWS::EC2::SecurityGroupEgress": security_group_egress,
    "AWS::EC2::SecurityGroupIngress": security_group_ingress,
    "AWS::EC2::Subnet": subnet,
    "AWS::EC2::SubnetRouteTableAssociation": route_table_association,
    "AWS::EC2::VPC": vpc,
    "AWS::EC2::VPCGatewayAttachment": gateway_attachment,
}
