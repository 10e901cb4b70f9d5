"""Create Service: make one green service, whole, beside its blue one."""

from __future__ import annotations

from crossfade.green.creation import Created, CreateRequest, create
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(CreateRequest)
def handler(request: CreateRequest) -> Created:
    """See `crossfade.green.creation.create`."""
    return create(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        services=parts.services(),
        namespaces=parts.namespaces(),
        log_groups=parts.log_groups(),
        feed=parts.proxy_feed(),
        edges=parts.edges(),
        scaling=parts.green_scaling(),
        executions=parts.executions(),
        now=parts.now(),
    )
