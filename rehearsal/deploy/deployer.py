"""Deploy templates as CloudFormation would, through plain API calls to whatever endpoint the clients speak to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from crossfade.errors import BadInput
from crossfade.mesh.template import load_template
from rehearsal.aws import cloudformation
from rehearsal.deploy.errors import TemplateRefused
from rehearsal.deploy.making import Aws, Place
from rehearsal.deploy.package import package
from rehearsal.deploy.parameters import parameter_values
from rehearsal.deploy.resources import MAKERS
from rehearsal.deploy.stack import Stack
from rehearsal.deploy.template import Template, read_template
from rehearsal.deploy.translate import translate

_STEADY_WITHIN = timedelta(minutes=2)


class Deployer:
    """
    Deploys stacks into one account and Region, and remembers what they export to each other.

    It makes, and does no more: a stack is neither updated nor taken down, since the embedded
    AWS ends with its process. Resource types and properties it does not know are refused.

    Args:
        aws: Hands out boto3 clients.
        tags: Put on every resource that takes tags, as a stack's tags are.
        period_scale: Alarm periods are divided by it, down to the next period CloudWatch
            allows; 1 leaves them as written.
        steady_within: How long a resource may take to become steady, in real time.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        tags: Mapping[str, str] | None = None,
        period_scale: float = 1,
        steady_within: timedelta = _STEADY_WITHIN,
    ) -> None:
        self._aws = aws
        self._tags = dict(tags or {})
        self._period_scale = period_scale
        self._steady_within = steady_within
        self._clients: dict[str, Any] = {}
        self._stacks: dict[str, Stack] = {}
        self._exports: dict[str, str] = {}
        identity = self._client("sts").get_caller_identity()
        self._account: str = identity["Account"]
        self._partition: str = identity["Arn"].split(":")[1]
        self._region: str = self._client("sts").meta.region_name

    @property
    def exports(self) -> Mapping[str, str]:
        """What the stacks deployed so far export."""
        return dict(self._exports)

    def describe(self, stack_name: str) -> Mapping[str, str]:
        """
        Return logical to physical id of everything made for a stack, of a failed one too.

        Raises:
            KeyError: no stack of that name was begun here.
        """
        return {name: made.physical_id for name, made in self._stacks[stack_name].made.items()}

    def deploy(
        self, template: Path | Mapping[str, Any], stack_name: str, parameters: Mapping[str, object] | None = None
    ) -> dict[str, str]:
        """
        Deploy a CloudFormation template, a file's or one at hand, and return its outputs.

        Raises:
            TemplateRefused: it cannot be deployed as written; nothing was made.
            DeployFailed: a resource could not be made; what was made before it stays.
        """
        if isinstance(template, Path):
            return self._deploy(_load(template), stack_name, parameters or {}, source=template.name)
        return self._deploy(template, stack_name, parameters or {}, source="made of a plan")

    def deploy_sam(
        self, template: Path, stack_name: str, parameters: Mapping[str, object] | None = None
    ) -> dict[str, str]:
        """
        Package a SAM template's source tree, translate it, deploy it, and return its outputs.

        Raises:
            TemplateRefused: it cannot be packaged, translated or deployed as written; at most
                its packages were uploaded.
            DeployFailed: a resource could not be made; what was made before it stays.
        """
        given = parameters or {}
        document = _load(template)
        values = parameter_values(document.get("Parameters") or {}, given)
        self._refuse_second(stack_name)
        bucket = f"packages-{self._account}-{self._region}"
        packaged = package(document, template.parent, self._client("s3"), bucket=bucket, region=self._region)
        plain = {name: ",".join(value) if isinstance(value, list) else value for name, value in values.items()}
        translated = translate(packaged, plain, region=self._region, partition=self._partition)
        return self._deploy(translated, stack_name, given, source=template.name)

    def _deploy(
        self, document: Mapping[str, Any], stack_name: str, given: Mapping[str, object], *, source: str
    ) -> dict[str, str]:
        self._refuse_second(stack_name)
        try:
            read = read_template(document, frozenset(MAKERS))
            values = parameter_values(read.parameters, given)
        except TemplateRefused as error:
            raise TemplateRefused(f"stack {stack_name} ({source}): {error}") from error
        stack = self._stack(read, stack_name, values)
        self._stacks[stack_name] = stack
        stack.make()
        outputs, exports = stack.outputs()
        for name in sorted(exports.keys() & self._exports.keys()):
            raise stack.failure(name, "export", "another stack exports this name already")
        self._exports.update(exports)
        cloudformation.deployed(stack_name, outputs)
        return outputs

    def _stack(self, template: Template, stack_name: str, values: Mapping[str, Any]) -> Stack:
        place = Place(
            stack=stack_name,
            region=self._region,
            account=self._account,
            partition=self._partition,
            url_suffix="amazonaws.com.cn" if self._partition == "aws-cn" else "amazonaws.com",
            tags=self._tags,
            period_scale=self._period_scale,
            clients=self._client,
        )
        return Stack(
            template,
            place,
            parameters=values,
            imports=self._exports,
            makers=MAKERS,
            steady_within=self._steady_within,
        )

    def _refuse_second(self, stack_name: str) -> None:
        if stack_name in self._stacks:
            raise TemplateRefused(f"stack {stack_name} was deployed before; stacks are made, not updated")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._aws.client(service)
        return self._clients[service]


def _load(template: Path) -> dict[str, Any]:
    try:
        return load_template(template.read_text(encoding="utf-8"), template.name)
    except (OSError, BadInput) as error:
        raise TemplateRefused(f"{template}: {error}") from error
