"""After each migration the lane's account is made what it was: green, its journal and its names are gone."""

from __future__ import annotations

import json
from collections.abc import Callable

from moto.ecs.models import ecs_backends

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.registry import ACCOUNT
from rehearsal.chaos.application import Laid

_DELETED_AT_ONCE = 25  # AWS: the most of BatchWriteItem
_LOOK_SECONDS = 0.25


class Sweeper:
    """Sweeps one lane, and nothing of any other's."""

    def __init__(self, aws: EmbeddedAws, laid: Laid, table: str) -> None:
        self._aws = aws
        self._laid = laid
        self._table = table

    def lay_anew(self) -> None:
        """Make the account what it was before the migration: green, its journal and its names are gone."""
        client = self._aws.client
        self._laid.edge.lay_anew()
        names = [service.green.service_name for service in self._laid.plan.services]
        found = client("ecs").describe_services(cluster=self._laid.plan.cluster, services=names)["services"]
        for service in found:
            if service["status"] == "ACTIVE":
                client("ecs").delete_service(
                    cluster=self._laid.plan.cluster, service=service["serviceName"], force=True
                )
        _until(lambda: not self._green_is_left(names), 30)
        self._bring_blue_back()
        for alarm in self._laid.plan.alarms:
            client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="the migration is over")
        green = self._laid.edge.green.arn
        if green and self._laid.plan.edges[0].rules:
            client("elbv2").delete_target_group(TargetGroupArn=green)
        elif green:  # its owner's, who had not tagged it
            tags = client("elbv2").describe_tags(ResourceArns=[green])["TagDescriptions"][0]["Tags"]
            ours = [tag["Key"] for tag in tags if tag["Key"].startswith("crossfade:")]
            if ours:
                client("elbv2").remove_tags(ResourceArns=[green], TagKeys=ours)
        for planned in self._laid.plan.services:  # by hand: moto finds a deregistered one by its family, AWS does not
            ecs_backends[ACCOUNT][self._aws.region].task_definitions.pop(planned.green.task_definition.family, None)
        self._remove_namespace()
        groups = client("logs").describe_log_groups(logGroupNamePrefix=self._laid.plan.proxy_logs.group)["logGroups"]
        for group in groups:
            client("logs").delete_log_group(logGroupName=group["logGroupName"])
        self._wipe_journal()

    def _bring_blue_back(self) -> None:
        """Let blue run as many tasks as it did, where it was retired."""
        ecs, wanted = self._aws.client("ecs"), self._laid.desired
        for name, count in wanted.items():
            [found] = ecs.describe_services(cluster=self._laid.plan.cluster, services=[name])["services"]
            if found["desiredCount"] != count:
                ecs.update_service(cluster=self._laid.plan.cluster, service=name, desiredCount=count)

        def is_back() -> bool:
            found = ecs.describe_services(cluster=self._laid.plan.cluster, services=list(wanted))["services"]
            return all(each["runningCount"] == wanted[each["serviceName"]] for each in found) and bool(
                self._laid.edge.blue.healthy
            )

        _until(is_back, 60)

    def _green_is_left(self, names: list[str]) -> bool:
        found = self._aws.client("ecs").describe_services(cluster=self._laid.plan.cluster, services=names)["services"]
        return any(service["status"] != "INACTIVE" for service in found)

    def _remove_namespace(self) -> None:
        names = self._aws.client("servicediscovery")
        for namespace in names.list_namespaces()["Namespaces"]:
            if namespace["Name"] != self._laid.plan.namespace.name:
                continue
            within = [{"Name": "NAMESPACE_ID", "Values": [namespace["Id"]], "Condition": "EQ"}]
            for service in names.list_services(Filters=within)["Services"]:
                for instance in names.list_instances(ServiceId=service["Id"])["Instances"]:
                    names.deregister_instance(ServiceId=service["Id"], InstanceId=instance["Id"])
                names.delete_service(Id=service["Id"])
            names.delete_namespace(Id=namespace["Id"])

    def _wipe_journal(self) -> None:
        table, tables = self._table, self._aws.client("dynamodb")
        keys = [
            {"pk": item["pk"], "sk": item["sk"]}
            for page in tables.get_paginator("scan").paginate(TableName=table)
            for item in page["Items"]
            if self._is_mine(json.dumps(item, default=str))
        ]
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            some = [{"DeleteRequest": {"Key": key}} for key in keys[first : first + _DELETED_AT_ONCE]]
            tables.batch_write_item(RequestItems={table: some})

    def _is_mine(self, text: str) -> bool:
        return f"{self._laid.name}/" in text or f'{self._laid.name}"' in text or f"{self._laid.name}-" in text


def _until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline and not holds():
        clock.sleep(_LOOK_SECONDS)
