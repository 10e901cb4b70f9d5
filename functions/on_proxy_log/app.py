"""On Proxy Log: green's proxies wrote of ejections or failed requests; count them, roll back on an ejection."""

from __future__ import annotations

from crossfade.events.inbound import ProxyLogDelivered
from crossfade.rollout.guards import GuardAnswer, guard_proxy_log
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(ProxyLogDelivered)
def handler(event: ProxyLogDelivered) -> GuardAnswer:
    """See `crossfade.rollout.guards.guard_proxy_log`."""
    return guard_proxy_log(
        event,
        journal=parts.journal(),
        streams=parts.proxy_streams(),
        meter=parts.proxy_meter(),
        executions=parts.executions(),
        now=parts.now(),
    )
