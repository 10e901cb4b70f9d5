"""Make the resources of one template in the order they need each other, and answer its intrinsic functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crossfade.mesh.intrinsics import NO_VALUE, Unresolved, holds, resolve
from rehearsal.aws.clock import clock
from rehearsal.deploy.errors import DeployFailed, NeverSteady, PropertyRefused, TemplateRefused
from rehearsal.deploy.making import Made, Maker, New, Place
from rehearsal.deploy.parameters import Value
from rehearsal.deploy.request import as_text
from rehearsal.deploy.template import Resource, Template

_POLL_SECONDS = 0.05


class Stack:
    """
    A template being deployed: the scope its expressions are resolved in, and what was made of it.

    Attributes:
        made: Logical id to what exists, in the order it was made.
    """

    def __init__(
        self,
        template: Template,
        place: Place,
        *,
        parameters: Mapping[str, Value],
        imports: Mapping[str, str],
        makers: Mapping[str, Maker],
        steady_within: timedelta,
    ) -> None:
        self.made: dict[str, Made] = {}
        self._template = template
        self._place = place
        self._parameters = parameters
        self._imports = imports
        self._makers = makers
        self._steady_within = steady_within
        self._conditions: dict[str, bool] = {}
        self._deciding: set[str] = set()
        self._pseudo: dict[str, object] = {
            "AWS::AccountId": place.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::StackId": (
                f"arn:{place.partition}:cloudformation:{place.region}:{place.account}:stack/{place.stack}/rehearsal"
            ),
            "AWS::StackName": place.stack,
            "AWS::URLSuffix": place.url_suffix,
        }

    # -- the scope of the template's expressions ------------------------------

    def ref(self, name: str) -> object:
        """Return a parameter's value, a pseudo parameter's, or a resource's physical id."""
        if name in self._parameters:
            return self._parameters[name]
        if name in self._pseudo:
            return self._pseudo[name]
        return self._existing(name).physical_id

    def get_att(self, name: str, attribute: str) -> object:
        """Return an attribute of a resource that exists."""
        made = self._existing(name)
        if attribute not in made.attributes:
            known = ", ".join(sorted(made.attributes)) or "none"
            raise Unresolved(f"{name} has no attribute {attribute}; it has {known}")
        return made.attributes[attribute]

    def import_value(self, name: str) -> object:
        """Return what another stack deployed here exports."""
        if name not in self._imports:
            exported = ", ".join(sorted(self._imports)) or "nothing"
            raise Unresolved(f"no stack deployed here exports {name}; exported: {exported}")
        return self._imports[name]

    def condition(self, name: str) -> bool:
        """Return whether a condition holds; it is decided once."""
        if name not in self._conditions:
            if name not in self._template.conditions:
                raise Unresolved(f"condition {name} is not declared")
            if name in self._deciding:
                raise Unresolved(f"condition {name} depends on itself")
            self._deciding.add(name)
            self._conditions[name] = holds(self._template.conditions[name], self, f"Conditions/{name}")
        return self._conditions[name]

    def mapping(self, name: str, top: str, second: str) -> object:
        """Return a value of the template's Mappings."""
        try:
            return self._template.mappings[name][top][second]
        except (KeyError, TypeError):
            raise Unresolved(f"the mappings hold no {name}/{top}/{second}") from None

    def availability_zones(self, region: str) -> Sequence[str]:
        """Return the zones of a Region as its EC2 tells them."""
        asked = region or self._place.region
        if asked != self._place.region:
            raise Unresolved(f"the zones of {asked} cannot be asked for from {self._place.region}")
        zones = self._place.clients("ec2").describe_availability_zones()["AvailabilityZones"]
        return sorted(zone["ZoneName"] for zone in zones)

    def _existing(self, name: str) -> Made:
        if name in self.made:
            return self.made[name]
        if name in self._template.resources:
            raise Unresolved(f"{name} does not exist: its condition does not hold")
        raise Unresolved(f"{name} is no parameter and no resource of this template")

    # -- making ---------------------------------------------------------------

    def make(self) -> None:
        """
        Make every resource whose condition holds, each after all it refers to.

        Resources are made one at a time, in the template's order where nothing else decides;
        those that need time to become steady (ECS services) do so side by side.

        Raises:
            TemplateRefused: resources need each other in a circle, or a condition cannot be decided.
            DeployFailed: AWS or the deployer refused a resource, or it never became steady.
        """
        order = {name: rank for rank, name in enumerate(self._template.resources)}
        sorter = self._sorter()
        settling: dict[str, float] = {}
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=order.__getitem__)
            for name in ready:
                self.made[name] = self._make(self._template.resources[name])
                settling[name] = clock.monotonic() + self._steady_within.total_seconds()
            steady = [name for name, until in settling.items() if self._steady(name, until)]
            for name in steady:
                del settling[name]
            sorter.done(*steady)
            if not steady:
                clock.sleep(_POLL_SECONDS)

    def _sorter(self) -> TopologicalSorter[str]:
        try:
            wanted = {
                name: resource
                for name, resource in self._template.resources.items()
                if resource.condition is None or self.condition(resource.condition)
            }
        except Unresolved as error:
            raise TemplateRefused(f"stack {self._place.stack}: {error}") from error
        sorter: TopologicalSorter[str] = TopologicalSorter(
            {name: sorted(resource.needs() & wanted.keys()) for name, resource in wanted.items()}
        )
        try:
            sorter.prepare()
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise TemplateRefused(
                f"stack {self._place.stack}: resources need each other in a circle: {circle}"
            ) from None
        return sorter

    def _make(self, resource: Resource) -> Made:
        where = f"Resources/{resource.logical_id}/Properties"
        try:
            properties = resolve(resource.properties, self, where)
            assert isinstance(properties, dict)  # a mapping resolves to a mapping
            new = New(self._place, resource.logical_id, resource.type, properties)
            made = self._makers[resource.type](new)
            new.nothing_left()
        except (ClientError, BotoCoreError, PropertyRefused, NeverSteady, Unresolved) as error:
            raise self._failure(resource.logical_id, error) from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = PropertyRefused(f"a property is not of the form it should have: {error!r}")
            raise self._failure(resource.logical_id, reason) from error
        return made

    def _steady(self, name: str, until: float) -> bool:
        asked = self.made[name].steady
        try:
            if asked is None or asked():
                return True
            if clock.monotonic() > until:
                raise NeverSteady(f"not steady within {self._steady_within.total_seconds():g} s")  # noqa: TRY301
        except (ClientError, BotoCoreError, NeverSteady) as error:
            raise self._failure(name, error) from error
        return False

    def _failure(self, name: str, error: Exception) -> DeployFailed:
        return self.failure(name, self._template.resources[name].type, str(error))

    def failure(self, name: str, kind: str, reason: str) -> DeployFailed:
        """Return the error that says what went wrong with `name`, and what stays."""
        stays = {logical: made.physical_id for logical, made in self.made.items()}
        return DeployFailed(self._place.stack, name, kind, reason, stays)

    # -- what it tells others -------------------------------------------------

    def outputs(self) -> tuple[dict[str, str], dict[str, str]]:
        """
        Return the outputs by their names, and the exports by theirs.

        Raises:
            DeployFailed: a value cannot be resolved.
        """
        values: dict[str, str] = {}
        exports: dict[str, str] = {}
        for name, output in self._template.outputs.items():
            try:
                if "Condition" in output and not self.condition(str(output["Condition"])):
                    continue
                values[name] = as_text(resolve(output["Value"], self, f"Outputs/{name}/Value"))
                if "Export" in output:
                    exported: Any = resolve(output["Export"], self, f"Outputs/{name}/Export")
                    exports[as_text(exported["Name"])] = values[name]
            except Unresolved as error:
                raise self.failure(name, "output", str(error)) from error
        return values, exports
