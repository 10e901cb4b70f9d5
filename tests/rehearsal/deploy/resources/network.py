"""Networks, and load balancers in them."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.deploy.resources.case import Case

NETWORK = """
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true}}
  A:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: 10.0.0.0/24
      AvailabilityZone: !Select [0, !GetAZs ""]
      MapPublicIpOnLaunch: true
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: eu-west-1b}}
"""


def a_network(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("ec2")
    subnets = client.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [outputs["Vpc"]]}])["Subnets"]
    [table] = client.describe_route_tables(RouteTableIds=[outputs["Table"]])["RouteTables"]
    [gateway] = client.describe_internet_gateways(InternetGatewayIds=[outputs["Internet"]])["InternetGateways"]
    dns = client.describe_vpc_attribute(VpcId=outputs["Vpc"], Attribute="enableDnsHostnames")
    assert {(each["CidrBlock"], each["MapPublicIpOnLaunch"]) for each in subnets} == {
        ("10.0.0.0/24", True),
        ("10.0.1.0/24", False),
    }
    assert {route["DestinationCidrBlock"] for route in table["Routes"]} >= {"0.0.0.0/0", "172.16.0.0/16"}
    assert table["Associations"][0]["SubnetId"] == outputs["Subnet"]
    assert gateway["Attachments"][0]["VpcId"] == outputs["Vpc"]
    assert dns["EnableDnsHostnames"]["Value"] is True


def security_groups(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("ec2")
    [web] = client.describe_security_groups(GroupIds=[outputs["Web"]])["SecurityGroups"]
    [orders] = client.describe_security_groups(GroupIds=[outputs["Orders"]])["SecurityGroups"]
    assert [(rule["FromPort"], rule["IpRanges"][0]["CidrIp"]) for rule in web["IpPermissions"]] == [(80, "0.0.0.0/0")]
    assert [rule["UserIdGroupPairs"][0]["GroupId"] for rule in orders["IpPermissions"]] == [outputs["Web"]]
    assert [rule.get("FromPort") for rule in web["IpPermissionsEgress"]] == [8080]
    assert 443 in [rule.get("FromPort") for rule in orders["IpPermissionsEgress"]]


def a_load_balancer(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("elbv2")
    [balancer] = client.describe_load_balancers(Names=["edge"])["LoadBalancers"]
    [listener] = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    [group] = client.describe_target_groups(Names=["web"])["TargetGroups"]
    settings = client.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
    balancing = client.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    assert balancer["DNSName"] == outputs["Dns"]
    assert outputs["Full"] == balancer["LoadBalancerArn"].partition("loadbalancer/")[2]
    assert outputs["GroupFull"] == "targetgroup/web/" + group["TargetGroupArn"].rpartition("/")[2]
    assert (group["TargetType"], group["HealthCheckPath"]) == ("ip", "/health")
    assert group["Matcher"]["HttpCode"] == "200-299"
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} in settings
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "30"} in balancing
    assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["Weight"] == 100
    assert [rule["Conditions"][0]["Values"] for rule in rules if not rule["IsDefault"]] == [["/api/*"]]


CASES: dict[str, Case] = {
    "network": (
        "Resources:"
        + NETWORK
        + """
  Internet: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Internet}}
  Address: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref A, AllocationId: !GetAtt Address.AllocationId}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Out:
    Type: AWS::EC2::Route
    DependsOn: Attached
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Internet}
  Private:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 172.16.0.0/16, NatGatewayId: !Ref Nat}
  Uses:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {RouteTableId: !Ref Table, SubnetId: !Ref A}
Outputs:
  Vpc: {Value: !Ref Vpc}
  Subnet: {Value: !Ref A}
  Table: {Value: !Ref Table}
  Internet: {Value: !Ref Internet}
""",
        a_network,
    ),
    "security groups": (
        "Resources:"
        + NETWORK
        + """
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: the edge
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0, Description: all}]
      SecurityGroupEgress: [{IpProtocol: tcp, FromPort: 8080, ToPort: 8080, CidrIp: 10.0.0.0/16}]
  Orders: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: tasks, VpcId: !Ref Vpc}}
  FromWeb:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !GetAtt Orders.GroupId
      IpProtocol: tcp
      FromPort: 8080
      ToPort: 8080
      SourceSecurityGroupId: !GetAtt Web.GroupId
  ToAws:
    Type: AWS::EC2::SecurityGroupEgress
    Properties: {GroupId: !Ref Orders, IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}
Outputs: {Web: {Value: !Ref Web}, Orders: {Value: !Ref Orders}}
""",
        security_groups,
    ),
    "load balancer": (
        "Resources:"
        + NETWORK
        + """
  Edge:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties:
      Name: edge
      Scheme: internet-facing
      Subnets: [!Ref A, !Ref B]
      LoadBalancerAttributes: [{Key: idle_timeout.timeout_seconds, Value: 30}]
  Web:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Name: web
      VpcId: !Ref Vpc
      Port: 8080
      Protocol: HTTP
      TargetType: ip
      HealthCheckPath: /health
      Matcher: {HttpCode: 200-299}
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "5"}]
  Http:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Edge
      Port: 80
      Protocol: HTTP
      DefaultActions:
        - Type: forward
          ForwardConfig: {TargetGroups: [{TargetGroupArn: !Ref Web, Weight: 100}]}
  Api:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Http
      Priority: 10
      Conditions: [{Field: path-pattern, Values: ["/api/*"]}]
      Actions: [{Type: forward, TargetGroupArn: !Ref Web}]
Outputs:
  Dns: {Value: !GetAtt Edge.DNSName}
  Full: {Value: !GetAtt Edge.LoadBalancerFullName}
  GroupFull: {Value: !GetAtt Web.TargetGroupFullName}
""",
        a_load_balancer,
    ),
}
