"""Work that no request brings: the signs of it in a source, and what a person must still say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from crossfade.connect.gaps import gap
from crossfade.connect.translate import Member
from crossfade.draw.options import DrawOptions
from crossfade.plan.document import Gap, Severity
from crossfade.plan.services import BackgroundAnswer, BackgroundWork, ServicePlan

_ONE_AT_A_TIME: Final = 100
_SCHEDULER: Final = re.compile(r"schedul|cron|(^|[-_])beat($|[-_])", re.IGNORECASE)
_QUEUE_NAME: Final = re.compile(r"(^|_)(SQS|QUEUE|KINESIS|STREAM|KAFKA|RABBITMQ|AMQP|TOPIC)(_|$)", re.IGNORECASE)
_QUEUE_VALUE: Final = re.compile(r"https?://sqs\.|^arn:[a-z-]+:(sqs|kinesis):|^amqps?://")


def background_of(member: Member, options: DrawOptions) -> BackgroundWork | None:
    """Return the work no request brings to a service, None where there is no sign of any."""
    service = member.service
    if service.is_assumed:
        return None  # nothing is known of it
    signs = []
    is_singleton = service.desired_count == 1 and service.maximum_percent <= _ONE_AT_A_TIME
    if is_singleton:
        signs.append("it must never run twice (one task, at most 100 %)")
    if _SCHEDULER.search(service.name):
        signs.append("its name says that it works to a schedule")
    if queues := sorted(_queues(member)):
        signs.append(f"its environment names a queue or stream ({', '.join(queues)})")
    if not (member.endpoints or service.targets or member.is_target):
        signs.append("no call reaches it")
    if not signs:
        return None
    answer = options.background.get(service.name)
    return BackgroundWork(why="; ".join(signs), answer=BackgroundAnswer(answer) if answer else None)


def _queues(member: Member) -> Iterator[str]:
    proxies = member.task.proxies()
    for container in member.task.containers:
        if container.name not in proxies:
            for name, value in container.environment.items():
                if _QUEUE_NAME.search(name) or _QUEUE_VALUE.search(value):
                    yield name


def background_gaps(services: Sequence[ServicePlan]) -> Iterator[Gap]:
    """Yield the work no request brings: it blocks while nobody has said what becomes of it and it would run twice."""
    for service in services:
        work = service.background
        if work is None:
            continue
        severity, answer = Severity.INFORMATIONAL, "Both share the work."
        if work.answer is BackgroundAnswer.CREATE_AT_ZERO:
            answer = "Green is made with no task; give it some once blue has stopped."
        elif work.answer is None:
            answer = f"Say what becomes of it: --background {service.name}=share, create_at_zero or leave_out."
            is_certain = ("never run twice" in work.why or "schedule" in work.why) or (
                "queue" in work.why and not service.endpoints
            )
            severity = Severity.BLOCKING if is_certain else Severity.DEGRADING
        why = f"{work.why[:1].upper()}{work.why[1:]}"
        yield gap("BACKGROUND_WORK", f"ecsService/{service.name}", severity=severity, why=why, answer=answer)
