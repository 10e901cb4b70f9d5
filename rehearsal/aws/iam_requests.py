"""
What each call asks IAM for: its actions, the resources they act on, and the condition keys it sets.

A call that is not listed asks for the action of its own name on `*`: so it is allowed only by a statement whose
resource is `*` and that has no condition, never by one that is narrower than what is known here.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from rehearsal.aws import cloudfront, ecs_fleets, elbv2
from rehearsal.aws.iam_policy import Asked, Values
from rehearsal.aws.registry import Call

Asking: TypeAlias = Callable[[Call], Iterable[Asked]]

_PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "service-quotas": "servicequotas",
    "stepfunctions": "states",
}
_REQUESTED, _HELD = "aws:requesttag/", "aws:resourcetag/"
_ECS, _TASKS = "ecs.amazonaws.com", "ecs-tasks.amazonaws.com"


def asked(call: Call) -> tuple[Asked, ...]:
    """Return everything that must be allowed for a call to be made."""
    asking = _CALLS.get((call.service, call.action))
    return tuple(asking(call)) if asking else (_ask(call),)


def _ask(call: Call, action: str = "", resource: str = "*") -> Asked:
    return Asked(action or f"{_PREFIXES.get(call.service, call.service)}:{call.action}", resource)


def _asks(action: str, resource: str, keys: Mapping[str, Values]) -> Asked:
    """Ask with condition keys; those of tags are known whole where there is one of their kind, or `aws:TagKeys`."""
    known = {key.lower(): value for key, value in keys.items()}
    whole = [prefix for prefix in (_REQUESTED, _HELD) if any(key.startswith(prefix) for key in known)]
    return Asked(action, resource, known, (*whole, *([_REQUESTED] if "aws:tagkeys" in known else [])))


def _arn(call: Call, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{call.region}:{call.account}:{resource}"


def _on(*members: str) -> Asking:
    """Ask for the call's own action on each ARN that these members of the request hold."""

    def asking(call: Call) -> Iterator[Asked]:
        for member in members:
            for arn in _listed(call.params.get(member)):
                yield _ask(call, resource=str(arn))

    return asking


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _tags(tags: Any) -> dict[str, Values]:
    """Return the keys that the tags of a request set, in whatever spelling the service has them."""
    if isinstance(tags, Mapping):
        pairs = {str(key): str(value) for key, value in tags.items()}
    else:
        pairs = {
            str(tag.get("key", tag.get("Key"))): str(tag.get("value", tag.get("Value", ""))) for tag in _listed(tags)
        }
    return {**{f"aws:RequestTag/{key}": (value,) for key, value in pairs.items()}, "aws:TagKeys": tuple(pairs) or None}


# -- DynamoDB, S3, SNS, SQS -----------------------------------------------------

_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def _table(call: Call, item: Mapping[str, Any], action: str) -> Asked:
    name: str = item["TableName"]
    table = name if name.startswith("arn:") else _arn(call, "dynamodb", f"table/{name}")
    return _ask(call, f"dynamodb:{action}", f"{table}/index/{item['IndexName']}" if "IndexName" in item else table)


def _transaction(call: Call) -> Iterator[Asked]:
    for each in call.params["TransactItems"]:
        for kind, item in each.items():
            yield _table(call, item, _TRANSACTED[kind])


def _object(action: str) -> Asking:
    def asking(call: Call) -> Iterator[Asked]:
        name = f"{action}Version" if call.params.get("VersionId") else action
        yield _ask(call, f"s3:{name}", f"arn:aws:s3:::{call.path.removeprefix('/')}")

    return asking


def _topic(call: Call) -> Iterator[Asked]:
    yield _ask(call, resource=call.params.get("TopicArn") or call.params.get("TargetArn") or "*")


def _queue(call: Call) -> Iterator[Asked]:
    yield _ask(call, resource=_arn(call, "sqs", str(call.params["QueueUrl"]).rpartition("/")[2]))


# -- Elastic Load Balancing, Route 53, CloudFront --------------------------------


def _target_group_made(call: Call) -> Iterator[Asked]:
    made = _arn(call, "elasticloadbalancing", f"targetgroup/{call.params['Name']}/*")
    tags = _tags(call.params.get("Tags"))
    yield _asks("elasticloadbalancing:CreateTargetGroup", made, tags)
    if call.params.get("Tags"):
        keys = {**tags, "elasticloadbalancing:CreateAction": ("CreateTargetGroup",)}
        yield _asks("elasticloadbalancing:AddTags", made, keys)


def _tags_added(call: Call) -> Iterator[Asked]:
    for arn in call.params["ResourceArns"]:
        keys = {**_tags(call.params["Tags"]), "elasticloadbalancing:CreateAction": None}
        yield _asks("elasticloadbalancing:AddTags", arn, keys)


def _target_group_deleted(call: Call) -> Iterator[Asked]:
    arn = call.params["TargetGroupArn"]
    yield _asks("elasticloadbalancing:DeleteTargetGroup", arn, _held(elbv2.tags_of(call.region, arn)))


def _zone(call: Call) -> Iterator[Asked]:
    yield _ask(call, resource=f"arn:aws:route53:::hostedzone/{_bare(call.params['HostedZoneId'])}")


def _bare(zone: str) -> str:
    return zone.rpartition("/")[2]


def _records(call: Call) -> Iterator[Asked]:
    changes = call.params["ChangeBatch"]["Changes"]
    prefix = "route53:ChangeResourceRecordSets"
    yield _asks(
        prefix,
        f"arn:aws:route53:::hostedzone/{_bare(call.params['HostedZoneId'])}",
        {
            f"{prefix}NormalizedRecordNames": tuple(_normalized(each["ResourceRecordSet"]["Name"]) for each in changes),
            f"{prefix}RecordTypes": tuple(each["ResourceRecordSet"]["Type"] for each in changes),
            f"{prefix}Actions": tuple(each["Action"] for each in changes),
        },
    )


def _normalized(name: str) -> str:
    return name.lower().rstrip(".").replace("*", "\\052")


def _change(call: Call) -> Iterator[Asked]:
    yield _ask(call, resource=f"arn:aws:route53:::change/{_bare(call.params['Id'])}")


def _of_cloudfront(kind: str, member: str, *actions: str) -> Asking:
    def asking(call: Call) -> Iterator[Asked]:
        arn = f"arn:aws:cloudfront::{call.account}:{kind}/{call.params[member]}"
        for action in actions or (call.action,):
            yield _asks(f"cloudfront:{action}", arn, _held_tags(arn))

    return asking


def _copied(call: Call) -> Iterator[Asked]:
    yield from _of_cloudfront("distribution", "PrimaryDistributionId", "CopyDistribution", "GetDistribution")(call)
    yield _ask(call, "cloudfront:CreateDistribution")


def _held_tags(arn: str) -> dict[str, Values]:
    return _held(cloudfront.tags_of(arn))


def _tagged_at_cloudfront(call: Call) -> Iterator[Asked]:
    yield _asks("cloudfront:TagResource", call.params["Resource"], _tags(call.params["Tags"].get("Items")))


# -- ECS ------------------------------------------------------------------------


def _cluster(call: Call) -> str:
    return str(call.params.get("cluster") or "default").rpartition("/")[2]


def _service_arn(call: Call, service: str) -> str:
    return service if service.startswith("arn:") else _arn(call, "ecs", f"service/{_cluster(call)}/{service}")


def _task_arn(call: Call, task: str) -> str:
    return task if task.startswith("arn:") else _arn(call, "ecs", f"task/{_cluster(call)}/{task}")


def _of_services(call: Call) -> Iterator[Asked]:
    for service in call.params["services"]:
        yield _ask(call, resource=_service_arn(call, service))


def _of_tasks(call: Call) -> Iterator[Asked]:
    for task in _listed(call.params.get("tasks")) or ["*"]:
        yield _ask(call, resource=_task_arn(call, task))


def _service_keys(call: Call) -> dict[str, Values]:
    given = call.params
    connect = given.get("serviceConnectConfiguration")
    strategy = [str(each["capacityProvider"]) for each in given.get("capacityProviderStrategy", ())]
    return {
        "ecs:cluster": (_arn(call, "ecs", f"cluster/{_cluster(call)}"),),
        "ecs:enable-service-connect": None if connect is None else (str(bool(connect.get("enabled"))).lower(),),
        "ecs:task-definition": (given["taskDefinition"],) if given.get("taskDefinition") else None,
        "ecs:capacity-provider": tuple(strategy) or None,
    }


def _service_made(call: Call) -> Iterator[Asked]:
    arn, tags = _service_arn(call, call.params["serviceName"]), _tags(call.params.get("tags"))
    yield _asks("ecs:CreateService", arn, {**_service_keys(call), **tags})
    if call.params.get("tags"):
        yield _asks("ecs:TagResource", arn, {**tags, "ecs:CreateAction": ("CreateService",)})
    for service in (call.params.get("serviceConnectConfiguration") or {}).get("services", ()):
        yield from _passed((service.get("tls") or {}).get("roleArn"), _ECS)


def _service_changed(call: Call) -> Iterator[Asked]:
    arn = _service_arn(call, call.params["service"])
    yield _asks(f"ecs:{call.action}", arn, {**_service_keys(call), **_tags_of_service(call, arn)})


def _tags_of_service(call: Call, arn: str) -> dict[str, Values]:
    return _held(ecs_fleets.tags_of(call.region, arn))


def _held(tags: Mapping[str, str]) -> dict[str, Values]:
    return {"aws:ResourceTag/": None, **{f"aws:ResourceTag/{key}": (value,) for key, value in tags.items()}}


def _definition_made(call: Call) -> Iterator[Asked]:
    arn, tags = _arn(call, "ecs", f"task-definition/{call.params['family']}:*"), _tags(call.params.get("tags"))
    yield _asks("ecs:RegisterTaskDefinition", arn, tags)
    if call.params.get("tags"):
        yield _asks("ecs:TagResource", arn, {**tags, "ecs:CreateAction": ("RegisterTaskDefinition",)})
    for member in ("taskRoleArn", "executionRoleArn"):
        yield from _passed(call.params.get(member), _TASKS)


def _tagged_at_ecs(call: Call) -> Iterator[Asked]:
    keys = {**_tags(call.params["tags"]), "ecs:CreateAction": None}
    yield _asks("ecs:TagResource", call.params["resourceArn"], keys)


def _passed(role: str | None, to: str) -> Iterator[Asked]:
    if role:
        yield _asks("iam:PassRole", role, {"iam:PassedToService": (to,)})


# -- scaling, CloudWatch, logs, Cloud Map ----------------------------------------


def _scalable_target(call: Call) -> Iterator[Asked]:
    keys: dict[str, Values] = {
        "application-autoscaling:service-namespace": (call.params["ServiceNamespace"],),
        "application-autoscaling:scalable-dimension": (call.params["ScalableDimension"],),
    }
    where = _arn(call, "application-autoscaling", f"scalable-target/{call.params['ResourceId']}")
    yield _asks(f"application-autoscaling:{call.action}", where, keys)
    if call.params.get("Tags"):
        yield _asks("application-autoscaling:TagResource", where, _tags(call.params["Tags"]))


def _alarms(call: Call) -> Iterator[Asked]:
    names = [*_listed(call.params.get("AlarmNames")), *_listed(call.params.get("AlarmName"))]
    for name in names if call.action != "DescribeAlarms" else ["*"]:
        yield _asks(f"cloudwatch:{call.action}", _arn(call, "cloudwatch", f"alarm:{name}"), {})
        if call.params.get("Tags"):
            keys = _tags(call.params["Tags"])
            yield _asks("cloudwatch:TagResource", _arn(call, "cloudwatch", f"alarm:{name}"), keys)


def _log_group(call: Call) -> Iterator[Asked]:
    name = call.params.get("logGroupName")
    named = _arn(call, "logs", f"log-group:{name}") if name else str(call.params.get("logGroupIdentifier", "*"))
    yield _asks(f"logs:{call.action}", f"{named.removesuffix(':*')}:*", {})


def _log_group_made(call: Call) -> Iterator[Asked]:
    named, tags = _arn(call, "logs", f"log-group:{call.params['logGroupName']}"), _tags(call.params.get("tags"))
    yield _asks("logs:CreateLogGroup", f"{named}:*", tags)
    if call.params.get("tags"):
        yield _asks("logs:TagResource", named, tags)


def _namespace_made(call: Call) -> Iterator[Asked]:
    yield _asks(f"servicediscovery:{call.action}", "*", _tags(call.params.get("Tags")))
    if call.params.get("Tags"):
        yield _asks("servicediscovery:TagResource", "*", _tags(call.params["Tags"]))


# -- Step Functions, Lambda, EventBridge -------------------------------------------

_FOLLOWING_RULE = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"


def following(call: Call) -> Iterator[Asked]:
    """Yield what Step Functions does in the name of a state that starts an execution and waits for it (`.sync`)."""
    machine = str(call.params["stateMachineArn"])
    for action in ("DescribeExecution", "StopExecution"):
        yield _ask(call, f"states:{action}", machine.replace(":stateMachine:", ":execution:") + ":*")
    for action in ("PutTargets", "PutRule", "DescribeRule"):
        yield _ask(call, f"events:{action}", _arn(call, "events", _FOLLOWING_RULE))


def delivering_logs(call: Call) -> Iterator[Asked]:
    """Yield what a state machine's role must be allowed so that its logs are delivered."""
    for action in (
        "CreateLogDelivery",
        "GetLogDelivery",
        "UpdateLogDelivery",
        "DeleteLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "DescribeResourcePolicies",
        "DescribeLogGroups",
    ):
        yield _ask(call, f"logs:{action}")


def _function(call: Call) -> Iterator[Asked]:
    name = str(call.params["FunctionName"])
    arn = name if name.startswith("arn:") else _arn(call, "lambda", f"function:{name}")
    if call.params.get("Qualifier"):
        arn += f":{call.params['Qualifier']}"
    yield _ask(call, "lambda:InvokeFunction" if call.action == "Invoke" else "", arn)


def _put_events(call: Call) -> Iterator[Asked]:
    for entry in call.params["Entries"]:
        bus = str(entry.get("EventBusName") or "default").rpartition("/")[2]
        keys: dict[str, Values] = {
            "events:source": (entry["Source"],),
            "events:detail-type": (entry["DetailType"],),
        }
        yield _asks("events:PutEvents", _arn(call, "events", f"event-bus/{bus}"), keys)


def _rule(call: Call) -> Iterator[Asked]:
    bus = str(call.params.get("EventBusName") or "default").rpartition("/")[2]
    name = call.params.get("Name") or call.params["Rule"]
    yield _ask(call, resource=_arn(call, "events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}"))


# -- what the preflight looks at -------------------------------------------------


def _named(resource: str, **members: str) -> Asking:
    """Ask for the call's own action on one resource, whose ARN has members of the request in it."""

    def asking(call: Call) -> Iterator[Asked]:
        given = {name: call.params.get(member, "*") for name, member in members.items()}
        service = _PREFIXES.get(call.service, call.service)
        yield _ask(call, resource=_arn(call, service, resource.format(**given)))

    return asking


def _deployment_groups(call: Call) -> Iterator[Asked]:
    for group in call.params["deploymentGroupNames"]:
        named = f"deploymentgroup:{call.params['applicationName']}/{group}"
        yield _ask(call, resource=_arn(call, "codedeploy", named))


def _key(call: Call) -> Iterator[Asked]:
    key = str(call.params["KeyId"])
    yield _ask(call, resource=key if key.startswith("arn:") else _arn(call, "kms", f"key/{key}"))


def _role(call: Call) -> Iterator[Asked]:
    yield _ask(call, resource=f"arn:aws:iam::{call.account}:role/{call.params['RoleName']}")


def _table_call(action: str) -> Asking:
    return lambda call: [_table(call, call.params, action)]


_DISTRIBUTION = partial(_of_cloudfront, "distribution", "Id")
_POLICY = partial(_of_cloudfront, "continuous-deployment-policy", "Id")

_CALLS: dict[tuple[str, str], Asking] = {
    **{
        ("dynamodb", name): _table_call(name)
        for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
    },
    ("dynamodb", "TransactWriteItems"): _transaction,
    ("s3", "GetObject"): _object("GetObject"),
    ("s3", "HeadObject"): _object("GetObject"),
    ("s3", "PutObject"): _object("PutObject"),
    ("s3", "DeleteObject"): _object("DeleteObject"),
    ("sns", "Publish"): _topic,
    **{
        ("sqs", name): _queue
        for name in ("GetQueueAttributes", "SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue")
    },
    ("elbv2", "ModifyRule"): _on("RuleArn"),
    ("elbv2", "ModifyListener"): _on("ListenerArn"),
    **{
        ("elbv2", name): _on("TargetGroupArn")
        for name in ("DeregisterTargets", "RegisterTargets", "ModifyTargetGroupAttributes")
    },
    ("elbv2", "CreateTargetGroup"): _target_group_made,
    ("elbv2", "DeleteTargetGroup"): _target_group_deleted,
    ("elbv2", "AddTags"): _tags_added,
    ("route53", "ListResourceRecordSets"): _zone,
    ("route53", "ListResourceRecordSetProtections"): _zone,
    ("route53", "ChangeResourceRecordSets"): _records,
    ("route53", "GetChange"): _change,
    **{
        ("cloudfront", name): _DISTRIBUTION()
        for name in (
            "GetDistribution",
            "GetDistributionConfig",
            "UpdateDistribution",
            "DeleteDistribution",
        )
    },
    **{
        ("cloudfront", name): _POLICY()
        for name in (
            "GetContinuousDeploymentPolicy",
            "GetContinuousDeploymentPolicyConfig",
            "UpdateContinuousDeploymentPolicy",
            "DeleteContinuousDeploymentPolicy",
        )
    },
    ("cloudfront", "CopyDistribution"): _copied,
    ("cloudfront", "UpdateDistributionWithStagingConfig"): _DISTRIBUTION(
        "UpdateDistributionWithStagingConfig", "UpdateDistribution", "GetDistribution"
    ),
    ("cloudfront", "TagResource"): _tagged_at_cloudfront,
    ("ecs", "DescribeServices"): _of_services,
    ("ecs", "DescribeTasks"): _of_tasks,
    ("ecs", "GetTaskProtection"): _of_tasks,
    ("ecs", "UpdateTaskProtection"): _of_tasks,
    ("ecs", "CreateService"): _service_made,
    ("ecs", "UpdateService"): _service_changed,
    ("ecs", "DeleteService"): _service_changed,
    ("ecs", "RegisterTaskDefinition"): _definition_made,
    ("ecs", "TagResource"): _tagged_at_ecs,
    ("application-autoscaling", "RegisterScalableTarget"): _scalable_target,
    ("application-autoscaling", "DeregisterScalableTarget"): _scalable_target,
    ("application-autoscaling", "PutScalingPolicy"): _scalable_target,
    ("application-autoscaling", "DeleteScalingPolicy"): _scalable_target,
    ("application-autoscaling", "PutScheduledAction"): _scalable_target,
    ("cloudwatch", "DescribeAlarms"): _alarms,
    ("cloudwatch", "PutMetricAlarm"): _alarms,
    ("cloudwatch", "PutCompositeAlarm"): _alarms,
    ("cloudwatch", "DeleteAlarms"): _alarms,
    ("cloudwatch", "SetAlarmState"): _alarms,
    **{
        ("logs", name): _log_group
        for name in (
            "FilterLogEvents",
            "PutSubscriptionFilter",
            "DeleteSubscriptionFilter",
            "PutMetricFilter",
            "DeleteMetricFilter",
            "PutRetentionPolicy",
            "DescribeSubscriptionFilters",
            "DescribeMetricFilters",
            "DeleteLogGroup",
        )
    },
    ("logs", "CreateLogGroup"): _log_group_made,
    ("servicediscovery", "CreateHttpNamespace"): _namespace_made,
    ("stepfunctions", "StartExecution"): _on("stateMachineArn"),
    ("stepfunctions", "ListExecutions"): _on("stateMachineArn"),
    ("stepfunctions", "DescribeStateMachine"): _on("stateMachineArn"),
    ("stepfunctions", "DescribeExecution"): _on("executionArn"),
    ("stepfunctions", "StopExecution"): _on("executionArn"),
    ("stepfunctions", "GetExecutionHistory"): _on("executionArn"),
    ("lambda", "Invoke"): _function,
    ("lambda", "GetFunction"): _function,
    ("lambda", "GetFunctionConcurrency"): _function,
    ("codedeploy", "ListDeploymentGroups"): _named("application:{name}", name="applicationName"),
    ("codedeploy", "BatchGetDeploymentGroups"): _deployment_groups,
    ("service-quotas", "GetServiceQuota"): _named("{service}/{quota}", service="ServiceCode", quota="QuotaCode"),
    ("acm-pca", "DescribeCertificateAuthority"): _on("CertificateAuthorityArn"),
    ("acm-pca", "ListTags"): _on("CertificateAuthorityArn"),
    ("kms", "DescribeKey"): _key,
    ("iam", "GetRole"): _role,
    ("events", "PutEvents"): _put_events,
    ("events", "EnableRule"): _rule,
    ("events", "DisableRule"): _rule,
    ("events", "DescribeRule"): _rule,
    ("events", "PutRule"): _rule,
}
