"""
AWS's own limits on what edges are written with, where the models of botocore do not know them: pure.

What is beyond one is refused by name here, before anything is written; AWS would refuse it in the middle of a move.

Source: Elastic Load Balancing API 2015-12-01, TargetGroupTuple, CreateTargetGroup and the quotas of Application Load
Balancers; Amazon Route 53 API 2013-04-01, ResourceRecordSet, and Developer Guide, "Maximums on API requests" and
"Quotas on records"; Amazon CloudFront API 2020-05-31, ContinuousDeploymentSingleWeightConfig, SessionStickinessConfig
and ContinuousDeploymentSingleHeaderConfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

MOST_RULE_WEIGHT: Final = 999
MOST_TARGET_GROUPS: Final = 5
"""Of one forward action."""

TARGET_GROUP_NAME: Final = r"(?!-)(?!internal-)[A-Za-z0-9-]{1,32}(?<!-)"

MOST_RECORD_WEIGHT: Final = 255
MOST_IDENTIFIER: Final = 128
MOST_VALUES_OF_RECORD: Final = 400
MOST_VALUES_OF_BATCH: Final = 1_000
MOST_CHARACTERS_OF_BATCH: Final = 32_000
"""Of the values of a batch; as with their number, an UPSERT's count twice."""

MOST_STAGED_WEIGHT: Final = 0.15
STAGED_STEPS: Final = 100
SHORTEST_SESSION_SECONDS: Final = 300
LONGEST_SESSION_SECONDS: Final = 3_600
HEADER: Final = "aws-cf-cd-"


def of_target_group(name: str) -> Iterator[str]:
    """Yield why a target group cannot have this name."""
    if re.fullmatch(TARGET_GROUP_NAME, name) is None:
        yield (
            f"{name!r} is no name for a target group: up to 32 letters, digits and hyphens, no hyphen first or last, "
            "and not beginning with internal-"
        )


def of_actions(actions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is beyond a limit in the actions of a rule, or in a listener's default action."""
    for action in actions:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        if len(groups) > MOST_TARGET_GROUPS:
            yield f"{len(groups)} target groups in one action, which takes {MOST_TARGET_GROUPS}"
        if len({group["TargetGroupArn"] for group in groups}) < len(groups):
            yield "a target group is named twice in one action"
        for group in groups:
            if not 0 <= group.get("Weight", 1) <= MOST_RULE_WEIGHT:
                yield f"weight {group['Weight']}: a rule's lie between 0 and {MOST_RULE_WEIGHT}"


def of_changes(changes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is beyond a limit in a batch of changes of records."""
    values = characters = 0
    for change in changes:
        record, times = change["ResourceRecordSet"], 2 if change["Action"] == "UPSERT" else 1
        said = [value["Value"] for value in record.get("ResourceRecords", [])]
        values, characters = values + times * len(said), characters + times * sum(map(len, said))
        yield from _of_record(record, len(said))
    if values > MOST_VALUES_OF_BATCH:
        yield f"{values} values in one batch, which takes {MOST_VALUES_OF_BATCH}"
    if characters > MOST_CHARACTERS_OF_BATCH:
        yield f"{characters} characters in the values of one batch, which takes {MOST_CHARACTERS_OF_BATCH}"


def _of_record(record: Mapping[str, Any], values: int) -> Iterator[str]:
    if not 0 <= record.get("Weight", 0) <= MOST_RECORD_WEIGHT:
        yield f"weight {record['Weight']}: a record's lie between 0 and {MOST_RECORD_WEIGHT}"
    if not 1 <= len(record.get("SetIdentifier", "-")) <= MOST_IDENTIFIER:
        yield f"a set identifier of {len(record['SetIdentifier'])} characters, which may have {MOST_IDENTIFIER}"
    if values > MOST_VALUES_OF_RECORD:
        yield f"{values} values in one record, which takes {MOST_VALUES_OF_RECORD}"


def of_policy(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is beyond a limit in the configuration of a continuous deployment policy."""
    traffic = config.get("TrafficConfig") or {}
    if traffic.get("Type") == "SingleHeader":
        header = str(traffic["SingleHeaderConfig"]["Header"])
        if not header.lower().startswith(HEADER):
            yield f"header {header!r}, which must begin with {HEADER}"
    if traffic.get("Type") != "SingleWeight":
        return
    single = traffic["SingleWeightConfig"]
    steps = single["Weight"] * STAGED_STEPS
    if not 0 <= single["Weight"] <= MOST_STAGED_WEIGHT or abs(steps - round(steps)) > 1 / STAGED_STEPS**2:
        yield f"weight {single['Weight']}: staging takes 0 to {MOST_STAGED_WEIGHT}, in steps of 0.01"
    session = single.get("SessionStickinessConfig")
    if session and not (
        SHORTEST_SESSION_SECONDS <= session["IdleTTL"] <= session["MaximumTTL"] <= LONGEST_SESSION_SECONDS
    ):
        yield (
            f"a session that idles for {session['IdleTTL']} s and lasts {session['MaximumTTL']} s: both lie between "
            f"{SHORTEST_SESSION_SECONDS} and {LONGEST_SESSION_SECONDS}, the first not above the second"
        )
