"""
The composition root: the one place that knows every real part.

Handlers ask here for the ports that an action needs. A new edge, source or store is a
line here; nothing else in the product names an adapter.
"""

from __future__ import annotations

from datetime import UTC, datetime

from crossfade.connect.autoscaling import AutoScaling, GreenAutoScaling
from crossfade.connect.blue import Blues, Scaling
from crossfade.connect.cloudmap import CloudMapNamespaces
from crossfade.connect.cloudwatch import CloudWatchStepAlarms
from crossfade.connect.ecs import EcsBlues, EcsServices
from crossfade.connect.greenscaling import GreenScaling
from crossfade.connect.logs import CloudWatchLogGroups
from crossfade.connect.services import LogGroups, Namespaces, Services
from crossfade.events.eventbridge import EventBridgeNotices, EventBridgeSchedule
from crossfade.events.outbound import EveryNotice, Notices
from crossfade.events.sns import SnsNotices
from crossfade.events.sqs import SqsUndelivered
from crossfade.executions.executions import Executions
from crossfade.executions.stepfunctions import StepFunctionsExecutions
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.journal import Journal
from crossfade.judge.alarms import Alarms
from crossfade.judge.cloudwatch import CloudWatchAlarms, CloudWatchMetrics, CloudWatchViewers
from crossfade.judge.feeds import EdgeMetrics, ProxyLogs
from crossfade.judge.logs import CloudWatchProxyFeed, CloudWatchProxyLogs, CloudWatchProxyStreams
from crossfade.judge.meter import LookMeter
from crossfade.judge.probing import Prober
from crossfade.judge.proxylog_feed import ProxyFeed, ProxyMeter, ProxyStreams
from crossfade.judge.sight import Sight
from crossfade.plan.s3 import S3PlanStore
from crossfade.plan.store import PlanStore
from crossfade.preflight.acmpca import PrivateAuthorities
from crossfade.preflight.awslambda import LambdaConcurrency
from crossfade.preflight.codedeploy import CodeDeployGroups
from crossfade.preflight.ec2 import Ec2Subnets
from crossfade.preflight.ecs import EcsShiftedServices
from crossfade.preflight.elbv2 import Elbv2Tags
from crossfade.preflight.iam import IamRoles
from crossfade.preflight.kms import KmsKeys
from crossfade.preflight.logs import LogsSubscriptions
from crossfade.preflight.servicequotas import QuotaOfFargate
from crossfade.preflight.surroundings import Surroundings
from crossfade.rollout.cloudwatch import CloudWatchGatheredAlarms
from crossfade.rollout.gathered import GatheredAlarms
from crossfade.rollout.watching import Schedule, Watch
from crossfade.runtime import clients
from crossfade.runtime.embedded import EmbeddedLookMeter, EmbeddedProxyMeter
from crossfade.runtime.probing import HttpProber
from crossfade.runtime.settings import Settings
from crossfade.shift.alb import AlbEdges
from crossfade.shift.cloudfront import CloudFrontEdges
from crossfade.shift.edges import EdgesOfKinds
from crossfade.shift.nlb import NlbEdges
from crossfade.shift.route53 import Route53Edges
from crossfade.shift.shifter import Edges


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def journal() -> Journal:
    """Return the stack's journal."""
    return DynamoDbJournal(clients.dynamodb(), Settings.from_environment().journal_table)


def plans() -> PlanStore:
    """Return where plans are stored."""
    return S3PlanStore(clients.s3())


def surroundings() -> Surroundings:
    """Return what stands around a plan in the account."""
    return Surroundings(
        balancer_tags=Elbv2Tags(clients.elbv2()),
        deployment_groups=CodeDeployGroups(clients.codedeploy()),
        shifted_services=EcsShiftedServices(clients.ecs()),
        subscriptions=LogsSubscriptions(clients.logs()),
        concurrency=LambdaConcurrency(clients.awslambda()),
        subnets=Ec2Subnets(clients.ec2()),
        vcpus=QuotaOfFargate(clients.servicequotas(), clients.cloudwatch()),
        authorities=PrivateAuthorities(clients.acmpca()),
        keys=KmsKeys(clients.kms()),
        roles=IamRoles(clients.iam()),
    )


def edges() -> Edges:
    """Return the account's edges."""
    return EdgesOfKinds(
        {
            "alb": lambda: AlbEdges(clients.elbv2()),
            "nlb": lambda: NlbEdges(clients.elbv2()),
            "cloudfront": lambda: CloudFrontEdges(clients.cloudfront(), clients.elbv2()),
            "route53": lambda: Route53Edges(clients.route53(), clients.elbv2()),
        }
    )


def services() -> Services:
    """Return the account's ECS services."""
    return EcsServices(clients.ecs())


def scaling() -> Scaling:
    """Return the scaling of the account's ECS services."""
    return AutoScaling(clients.autoscaling())


def green_scaling() -> GreenScaling:
    """Return the scaling of the account's green services."""
    return GreenAutoScaling(clients.autoscaling(), CloudWatchStepAlarms(clients.cloudwatch()))


def blues() -> Blues:
    """Return the account's blue services, with the few verbs allowed on them."""
    return EcsBlues(clients.ecs())


def namespaces() -> Namespaces:
    """Return the account's Cloud Map namespaces."""
    return CloudMapNamespaces(clients.servicediscovery())


def log_groups() -> LogGroups:
    """Return the account's log groups."""
    return CloudWatchLogGroups(clients.logs())


def executions() -> Executions:
    """Return the stack's executions."""
    return StepFunctionsExecutions(clients.stepfunctions(), Settings.from_environment().roll_back_arn)


def metrics() -> EdgeMetrics:
    """Return what the edges counted."""
    return CloudWatchMetrics(clients.cloudwatch())


def alarms() -> Alarms:
    """Return the operator's alarms, of this Region and of CloudFront's."""
    return CloudWatchAlarms(clients.cloudwatch(), further=clients.cloudwatch_of_cloudfront)


def gathered() -> GatheredAlarms:
    """Return the alarms over the plans' alarms."""
    return CloudWatchGatheredAlarms(clients.cloudwatch())


def proxy_logs() -> ProxyLogs:
    """Return what green's proxies wrote."""
    return CloudWatchProxyLogs(clients.logs())


def sight() -> Sight:
    """Return everything that a look reads from."""
    return Sight(
        metrics=metrics(),
        proxy_logs=proxy_logs(),
        alarms=alarms(),
        services=services(),
        viewers=CloudWatchViewers(lambda: clients.cloudwatch_of_cloudfront() or clients.cloudwatch()),
        prober=prober(),
    )


def prober() -> Prober:
    """Return who asks green by requests of our own."""
    return HttpProber()


def proxy_feed() -> ProxyFeed:
    """Return what brings the proxies' log to us."""
    function = Settings.from_environment().on_proxy_log_arn
    return CloudWatchProxyFeed(clients.logs(), clients.cloudwatch(), function=function)


def proxy_streams() -> ProxyStreams:
    """Return the proxies' log, whole."""
    return CloudWatchProxyStreams(clients.logs())


def look_meter() -> LookMeter:
    """Return where the measures of looks are published."""
    return EmbeddedLookMeter()


def proxy_meter() -> ProxyMeter:
    """Return where counts of the proxies' log are published."""
    return EmbeddedProxyMeter()


def notices() -> Notices:
    """Return where people are told."""
    return EveryNotice(
        EventBridgeNotices(clients.eventbridge()), SnsNotices(clients.sns(), Settings.from_environment().topic_arn)
    )


def schedule() -> Schedule:
    """Return the rule that wakes `watch`."""
    return EventBridgeSchedule(clients.eventbridge(), Settings.from_environment().watch_rule)


def watch() -> Watch:
    """Return everything that `watch` looks at and acts through."""
    return Watch(
        journal=journal(),
        plans=plans(),
        services=services(),
        edges=edges(),
        alarms=alarms(),
        gathered=gathered(),
        feed=proxy_feed(),
        sight=sight(),
        meter=look_meter(),
        scaling=scaling(),
        green_scaling=green_scaling(),
        blues=blues(),
        executions=executions(),
        notices=notices(),
        schedule=schedule(),
        undelivered=SqsUndelivered(clients.sqs(), Settings.from_environment().undelivered_url),
    )
