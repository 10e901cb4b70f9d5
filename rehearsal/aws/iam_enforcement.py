"""
IAM decides every call that a function or a state machine makes, by the policies of its role.

A function's calls are told by the key it signs with, which Lambda gives it for its role; a state machine's by the
execution and state they are made for. All other calls are the operator's, who may do everything. A role that IAM
does not hold, as tests of single services use, is not asked.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html, which has the message.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.core.utils import get_service_model
from moto.iam.models import iam_backends

from rehearsal.aws import stepfunctions
from rehearsal.aws.iam_policy import Asked, Statement, decide, statements
from rehearsal.aws.iam_requests import asked, delivering_logs, following
from rehearsal.aws.registry import AwsError, Call, intercept, on_reset
from rehearsal.aws.wire import CALLER_HEADER

LEDGER = "CROSSFADE_IAM_LEDGER"
"""Names a file to which each statement and action that allowed something is added, a line each, without doubles."""

_SIGNED_BY = re.compile(r"Credential=([A-Za-z0-9]+)/")
_FORBIDDEN, _BAD_REQUEST = 403, 400


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: a role, and the session it is assumed in: a function's name or an execution's."""

    role_arn: str
    session: str
    following: bool = False

    @property
    def role(self) -> str:
        """The role's name."""
        return self.role_arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that was refused: who asked, and for what."""

    caller: Caller
    asked: Asked

    def __str__(self) -> str:
        return f"{self.caller.session} may not {self.asked.action} on {self.asked.resource}"


class Enforcement:
    """
    What IAM has decided since the embedded AWS began.

    Attributes:
        refused: every call that was not allowed, in order, but what was taken out.
        used: (policy, statement, action) of everything that was.
    """

    def __init__(self) -> None:
        self.refused: list[Refusal] = []
        self.used: set[tuple[str, str, str]] = set()
        self._keys: dict[str, Caller] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Begin anew; what was used is written to the ledger first, where there is one."""
        self.write_used()
        with self._lock:
            self.refused.clear()
            self.used.clear()
            self._keys.clear()

    def write_used(self) -> None:
        """Add what was used to the ledger, where there is one."""
        ledger = os.environ.get(LEDGER)
        with self._lock:
            if ledger and self.used:
                with Path(ledger).open("a", encoding="utf-8") as file:
                    file.writelines(f"{' '.join(each)}\n" for each in sorted(self.used))

    def take_refused(self) -> list[Refusal]:
        """Return what was refused since this was last asked, and forget it."""
        with self._lock:
            taken, self.refused = self.refused, []
        return taken

    def credentials(self, role_arn: str, session: str) -> dict[str, str]:
        """Return environment variables by which a process makes its calls as this role."""
        key = "ASIA" + hashlib.sha256(f"{role_arn} {session}".encode()).hexdigest()[:16].upper()
        with self._lock:
            self._keys[key] = Caller(role_arn, session)
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key}

    def caller(self, call: Call) -> Caller | None:
        """Return who makes a call; None for the operator."""
        execution, _, state = call.headers.get(CALLER_HEADER, "").partition(" ")
        if execution:
            found = stepfunctions.find_execution(execution)
            if found is None:
                return None
            waits = call.action == "StartExecution" and ".sync" in _resource(found.origin.machine, state)
            return Caller(found.origin.role_arn, found.origin.name, following=waits)
        signed = _SIGNED_BY.search(call.headers.get("Authorization", ""))
        return self._keys.get(signed[1]) if signed else None

    def look(self, call: Call) -> None:
        """Let a call pass, or refuse it as the service would. Raises AwsError."""
        if (call.service, call.action) == ("stepfunctions", "CreateStateMachine"):
            self._let_logs_be_delivered(call)
        caller = self.caller(call)
        if caller is None:
            return
        held = policies(call.account, caller.role)
        if held is None:
            return
        wanted = [*asked(call), *(following(call) if caller.following else ())]
        self._decide(call, caller, held, wanted)

    def _decide(self, call: Call, caller: Caller, held: Iterable[Statement], wanted: Iterable[Asked]) -> None:
        for each in wanted:
            decision = decide(held, each)
            if not decision.allowed:
                with self._lock:
                    self.refused.append(Refusal(caller, each))
                raise denied(call, caller, each, explicitly=decision.by is not None)
            assert decision.by is not None
            with self._lock:
                self.used.add((decision.by.where, decision.by.sid, each.action))

    def _let_logs_be_delivered(self, call: Call) -> None:
        """Ask, as AWS does when a machine is made, whether its role may have its logs delivered."""
        given = call.params
        held = policies(call.account, given["roleArn"].rpartition("/")[2])
        if held is not None and given.get("loggingConfiguration", {}).get("destinations"):
            self._decide(call, Caller(given["roleArn"], given["name"]), held, delivering_logs(call))


def _resource(machine: Mapping[str, Any], state: str) -> str:
    """Return the Resource of a state, wherever in the machine it is; its name is unique there."""
    for name, each in machine["States"].items():
        if name == state:
            return str(each.get("Resource", ""))
        for inner in (*each.get("Branches", ()), *([each["ItemProcessor"]] if "ItemProcessor" in each else [])):
            found = _resource(inner, state)
            if found:
                return found
    return ""


def policies(account: str, role: str) -> tuple[Statement, ...] | None:
    """Return every statement of a role's policies, as they are now; None where IAM holds no such role."""
    backend = iam_backends[account]["aws"]
    found = next((each for each in list(backend.roles.values()) if each.name == role), None)
    if found is None:
        return None
    inline = [(f"{role}/{name}", text) for name, text in found.policies.items()]
    attached = [(policy.name, _default(policy)) for policy in found.managed_policies.values()]
    return tuple(each for name, text in (*inline, *attached) for each in statements(name, text))


def _default(policy: Any) -> str:
    return str(next(version.document for version in policy.versions if version.is_default_version))


def denied(call: Call, caller: Caller, each: Asked, *, explicitly: bool) -> AwsError:
    """Make the error by which a service says that IAM did not allow a call: its code and status differ by protocol."""
    protocol = get_service_model(call.service).metadata["protocol"]
    xml = protocol in ("query", "rest-xml") or call.service == "cloudwatch"
    code = "AccessDenied" if xml else "AccessDeniedException"
    why = (
        "with an explicit deny in an identity-based policy"
        if explicitly
        else f"because no identity-based policy allows the {each.action} action"
    )
    partition_of = f"arn:aws:sts::{call.account}:assumed-role/{caller.role}/{caller.session}"
    error = Denied(
        code, f"User: {partition_of} is not authorized to perform: {each.action} on resource: {each.resource} {why}"
    )
    error.answered = _FORBIDDEN if xml or protocol.startswith("rest") else _BAD_REQUEST
    return error


class Denied(AwsError):
    """A call that IAM refused."""

    answered = _FORBIDDEN

    @property
    def status(self) -> int | None:
        """The HTTP status: 400 where the protocol is JSON over POST, 403 elsewhere."""
        return self.answered


enforcement = Enforcement()
on_reset(enforcement.forget)
intercept(before=enforcement.look)
