"""
What an account allows and who else moves traffic in it: quotas, Lambda's concurrency, CodeDeploy's groups.

moto answers quotas of VPC only, no account settings, and no batch of deployment groups.
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import lambda_backends

from rehearsal.aws.registry import Call, add_paths, operation

CONCURRENCY = 1_000
FARGATE_VCPUS = 4_000.0
_KEPT_FREE = 100  # AWS lets nobody reserve the last hundred

add_paths("awslambda", r"/(?P<api_version>[^/]+)/account-settings/?$")


@operation("lambda", "GetAccountSettings")
def get_account_settings(call: Call) -> dict[str, Any]:
    """Answer the account's concurrency, and what its functions have not reserved of it."""
    functions = lambda_backends[call.account][call.region].list_functions(None)
    reserved = sum(int(each.reserved_concurrency or 0) for each in functions)
    return {
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": max(_KEPT_FREE, CONCURRENCY - reserved),
        },
        "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": len(functions)},
    }


@operation("service-quotas", "GetServiceQuota")
def get_service_quota(call: Call) -> Any:
    """Answer Fargate's quota of On-Demand vCPUs with the metric of its use; moto answers those of VPC."""
    asked = (call.params["ServiceCode"], call.params["QuotaCode"])
    if asked != ("fargate", "L-3032A538"):
        return call.next()
    return {
        "Quota": {
            "ServiceCode": "fargate",
            "ServiceName": "AWS Fargate",
            "QuotaCode": "L-3032A538",
            "QuotaName": "Fargate On-Demand vCPU resource count",
            "Value": FARGATE_VCPUS,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
            "UsageMetric": {
                "MetricNamespace": "AWS/Usage",
                "MetricName": "ResourceCount",
                "MetricDimensions": {
                    "Class": "Standard/OnDemand",
                    "Resource": "vCPU",
                    "Service": "Fargate",
                    "Type": "Resource",
                },
                "MetricStatisticRecommendation": "Maximum",
            },
        }
    }


@operation("codedeploy", "BatchGetDeploymentGroups")
def batch_get_deployment_groups(call: Call) -> dict[str, Any]:
    """Answer the deployment groups of an application that exist, and name those that do not."""
    from moto.codedeploy.models import codedeploy_backends  # noqa: PLC0415  (a service few rehearsals need)

    backend = codedeploy_backends[call.account][call.region]
    application = call.params["applicationName"]
    if application not in backend.applications:
        raise call.error("ApplicationDoesNotExistException", f"No application found for name: {application}")
    known = backend.deployment_groups.get(application, {})
    names = call.params["deploymentGroupNames"]
    missing = [name for name in names if name not in known]
    return {
        "deploymentGroupsInfo": [_described(application, known[name]) for name in names if name in known],
        **({"errorMessage": f"not found: {', '.join(missing)}"} if missing else {}),
    }


def _described(application: str, group: Any) -> dict[str, Any]:
    moved = {"loadBalancerInfo": group.load_balancer_info} if group.load_balancer_info else {}
    return {"applicationName": application, "deploymentGroupName": group.deployment_group_name, **moved}
