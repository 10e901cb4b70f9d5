"""What tests of making green start from: a plan of two services, blue running, and ports that can be cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossfade.connect.memory import MemoryGreenScaling, MemoryLogGroups, MemoryNamespaces, MemoryServices
from crossfade.executions.memory import MemoryExecutions
from crossfade.green.creation import Checked, CheckRequest, Created, CreateRequest, check, create
from crossfade.green.redeploying import Redeployed, RedeployRequest, redeploy
from crossfade.green.verification import Verified, VerifyRequest, verify
from crossfade.journal.memory import MemoryJournal
from crossfade.judge.probing import MemoryProber
from crossfade.judge.proxylog_memory import MemoryProxyFeed
from crossfade.plan.document import Acceptance, Gap, MigrationPlan
from crossfade.plan.memory import MemoryPlanStore
from crossfade.plan.services import (
    BlueService,
    ClientAlias,
    Endpoint,
    GreenService,
    PortName,
    Role,
    ServicePlan,
    TaskDefinitionChange,
    Timeout,
)
from crossfade.shift.memory import MemoryEdges
from tests.traffic import NOON, a_plan, a_record

FIRST, SECOND = "token-1", "token-2"
BLUE_NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]}}


def a_service(name: str, *, desired: int = 2, **green: Any) -> ServicePlan:
    return ServicePlan(
        name=name,
        role=Role.CLIENT_SERVER,
        blue=BlueService(service_name=name, task_definition=name, desired_count=desired),
        green=GreenService(
            **{
                "service_name": f"{name}-green",
                "task_definition": TaskDefinitionChange(
                    family=f"{name}-green",
                    remove_containers=("envoy",),
                    remove_proxy_configuration=True,
                    name_ports=(PortName(container="app", container_port=8080, name="http", app_protocol="http"),),
                ),
                "desired_count": desired,
                "health_check_grace_seconds": 60,
                "container_name": "app",
                "container_port": 8080,
                **green,
            }
        ),
        endpoints=(
            Endpoint(
                port_name="http",
                container_port=8080,
                discovery_name=name,
                client_alias=ClientAlias(dns_name=f"{name}.shop.local", port=80),
                app_protocol="http",
                timeout=Timeout(per_request_seconds=15),
            ),
        ),
    )


def a_shop(**changes: Any) -> MigrationPlan:
    return a_plan(**{"services": (a_service("web"), a_service("orders")), "waves": (("orders",), ("web",)), **changes})


def accepted(gap: Gap) -> Gap:
    """Return a gap that a person takes as it is."""
    return gap.model_copy(update={"accepted": Acceptance(who="ada", why="one is enough", at=NOON)})


def run_blue(services: MemoryServices, name: str, *, tasks: int = 2, **settings: Any) -> None:
    """Let a blue service run, as a team that has App Mesh runs it."""
    arn = services.register(
        {
            "family": name,
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/shop-execution",
            "containerDefinitions": [
                {"name": "app", "image": f"{name}:1", "portMappings": [{"containerPort": 8080, "protocol": "tcp"}]},
                {"name": "envoy", "image": "envoy:1"},
            ],
            "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy"},
        },
        {},
    )
    services.create(
        {
            "cluster": "shop",
            "serviceName": name,
            "taskDefinition": arn,
            "desiredCount": tasks,
            "launchType": "FARGATE",
            "networkConfiguration": BLUE_NETWORK,
            "tags": [{"key": "team", "value": "checkout"}, {"key": "aws:cloudformation:stack-name", "value": "shop"}],
            **settings,
        }
    )
    services.complete("shop", name)


class Killed(BaseException):
    """The process is gone, between two of its calls or within one."""


class Cut:
    """Lets calls through ports pass until one; that one is cut before or after it takes effect."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.calls: list[str] = []
        self._at = at
        self._after = after

    def through(self, port: Any) -> Any:
        """Return the port as seen through the cut."""
        return _Through(port, self)

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a call, or be killed at it."""
        self.calls.append(name)
        here = len(self.calls) - 1 == self._at
        if here and not self._after:
            raise Killed
        answer = function(*args, **kwargs)
        if here:
            raise Killed
        return answer


class _Through:
    def __init__(self, port: Any, cut: Cut) -> None:
        self._port = port
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._port, name)
        return lambda *args, **kwargs: self._cut.call(name, function, *args, **kwargs)


class World:
    """A migration that is opened, with blue running."""

    def __init__(self, plan: MigrationPlan | None = None, *, eager: bool = False) -> None:
        self.plan = plan or a_shop()
        self.services: Any = MemoryServices("shop", eager=eager)
        for service in self.plan.services:
            run_blue(self.services, service.blue.service_name)
        self.blue_created = len(self.services.created)
        self.namespaces = MemoryNamespaces(self.services)
        self.log_groups = MemoryLogGroups()
        self.feed = MemoryProxyFeed()
        self.scaling = MemoryGreenScaling("web")
        self.edges = MemoryEdges.of(*self.plan.edges)
        self.executions = MemoryExecutions(waiting={FIRST, SECOND})
        self.prober = MemoryProber(200)
        self.plans = MemoryPlanStore()
        self.journal = MemoryJournal()
        ref = self.plans.put("plans", "shop.json", self.plan)
        found = [self.edges.find(edge).owned_by("shop") for edge in self.plan.edges]
        self.journal.open(a_record(plan=ref), found)

    def create(self, service: str = "web", *, resume: str = FIRST, fence: int = 1, cut: Cut | None = None) -> Created:
        through = (cut or Cut()).through
        return create(
            CreateRequest(migration="shop", fence=fence, service=service, token=resume),
            journal=through(self.journal),
            plans=through(self.plans),
            services=through(self.services),
            namespaces=through(self.namespaces),
            log_groups=through(self.log_groups),
            feed=through(self.feed),
            edges=through(self.edges),
            scaling=through(self.scaling),
            executions=through(self.executions),
            now=NOON,
        )

    def check(self, service: str = "web", *, fence: int = 1) -> Checked:
        request = CheckRequest(migration="shop", fence=fence, service=service)
        return check(request, journal=self.journal, plans=self.plans, services=self.services, now=NOON)

    def redeploy(
        self, service: str = "orders", *, resume: str = FIRST, fence: int = 1, cut: Cut | None = None
    ) -> Redeployed:
        through = (cut or Cut()).through
        return redeploy(
            RedeployRequest(migration="shop", fence=fence, service=service, token=resume),
            journal=through(self.journal),
            plans=through(self.plans),
            services=through(self.services),
            executions=through(self.executions),
            now=NOON,
        )

    def verify(self, *, fence: int = 1) -> Verified:
        return verify(
            VerifyRequest(migration="shop", fence=fence),
            journal=self.journal,
            plans=self.plans,
            services=self.services,
            namespaces=self.namespaces,
            edges=self.edges,
            prober=self.prober,
            now=NOON,
        )

    def make_green(self) -> None:
        """Create and complete every green service, with its targets healthy."""
        for service in self.plan.services:
            self.create(service.name)
            self.services.complete("shop", service.green.service_name)
        for edge in self.plan.edges:
            self.edges.healthy[self.green_arn(edge.name)] = 2

    def green_arn(self, edge: str) -> str:
        arn = self.journal.edge("shop", edge).resolved.green_arn
        assert arn is not None
        return arn

    @property
    def created(self) -> list[Any]:
        """What CreateService was asked for since blue ran."""
        made: list[Any] = self.services.created[self.blue_created :]
        return made
