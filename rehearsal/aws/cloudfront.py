"""
CloudFront in the embedded AWS: distributions, and continuous deployment with its limits.

Every configuration comes back as it was given. Each write needs the current ETag and makes a new one; weights lie
between 0 and 0.15, headers begin with `aws-cf-cd-`, a session's idle time is not above its longest; a policy in use
and a staging distribution in use cannot be deleted; a distribution that speaks HTTP/3 takes no policy. A change is
InProgress until it has spread.

Source: Amazon CloudFront API 2020-05-31; Developer Guide, "Use CloudFront continuous deployment".
"""

from __future__ import annotations

import copy
import itertools
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import ACCOUNT, Call, add_paths, on_reset, operation

MOST_WEIGHT: Final = 0.15
MOST_STAGING: Final = 20  # staging distributions of an account, and policies too
SHORTEST_SESSION, LONGEST_SESSION = 300, 3_600  # seconds
SPREADING_SECONDS: Final = 180.0  # until a change is deployed; AWS promises none. Divided by the time scale

_BASE: Final = "/2020-05-31"
add_paths(
    "cloudfront",
    f"{_BASE}/continuous-deployment-policy$",
    f"{_BASE}/continuous-deployment-policy/(?P<Id>[^/]+)$",
    f"{_BASE}/continuous-deployment-policy/(?P<Id>[^/]+)/config$",
    f"{_BASE}/distribution/(?P<PrimaryDistributionId>[^/]+)/copy$",
    f"{_BASE}/distribution/(?P<Id>[^/]+)/promote-staging-config$",
)
_KEPT_WHEN_PROMOTED: Final = ("Aliases", "CallerReference", "ContinuousDeploymentPolicyId", "Staging")

Config = dict[str, Any]


@dataclass(slots=True)
class Distribution:
    """A distribution; `deployed_at` is the monotonic second at which its last change has spread."""

    id: str
    config: Config
    domain: str
    etag: str
    deployed_at: float
    modified: datetime
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudfront::{ACCOUNT}:distribution/{self.id}"


@dataclass(slots=True)
class Policy:
    """A continuous deployment policy."""

    id: str
    config: Config
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A change of what users get of staging: the weight, or 1 while the primary holds what was promoted."""

    at: datetime
    operation: str
    resource: str
    weight: float
    caller: str


@dataclass(slots=True)
class _Cdn:
    distributions: dict[str, Distribution] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    promoted: dict[str, Any] = field(default_factory=dict)  # by primary: the origins that staging gave it
    changes: list[PolicyChange] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    spreading_seconds: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)


_state = _Cdn()


@on_reset
def forget() -> None:
    """Forget distributions and policies; changes spread at once again."""
    with _state.lock:
        _state.distributions.clear()
        _state.policies.clear()
        _state.promoted.clear()
        _state.changes.clear()
        _state.spreading_seconds = 0.0


# -- for the data plane and for tests -----------------------------------------


def policy_changes() -> tuple[PolicyChange, ...]:
    """Answer every accepted change since the start, oldest first."""
    with _state.lock:
        return tuple(_state.changes)


def spread_slowly(seconds: float = SPREADING_SECONDS) -> None:
    """Let every change from now on take this long to spread, divided by the time scale."""
    with _state.lock:
        _state.spreading_seconds = seconds


def lose_distribution(identifier: str) -> None:
    """Take a distribution away at once, which AWS would do only once it is disabled and deployed."""
    with _state.lock:
        del _state.distributions[identifier]


# -- distributions ------------------------------------------------------------


@operation("cloudfront", "CreateDistribution")
def create_distribution(call: Call) -> dict[str, Any]:
    """Create a distribution of exactly this configuration."""
    with _state.lock:
        made = _make(call, call.params["DistributionConfig"])
        return {"Distribution": _shown(made), "ETag": made.etag, "Location": made.arn}


@operation("cloudfront", "CopyDistribution")
def copy_distribution(call: Call) -> dict[str, Any]:
    """Copy a distribution into a staging one, without its aliases."""
    params = call.params
    with _state.lock:
        primary = _distribution(call, params["PrimaryDistributionId"])
        _match(call, primary.etag, params.get("IfMatch"))
        staged = sum(bool(each.config["Staging"]) for each in _state.distributions.values())
        if params.get("Staging") and staged >= MOST_STAGING:
            raise call.error("TooManyDistributions", "Processing your request will exceed the number of distributions.")
        made = _make(
            call,
            {
                **copy.deepcopy(primary.config),
                "CallerReference": params["CallerReference"],
                "Staging": bool(params.get("Staging", False)),
                "Enabled": bool(params.get("Enabled", False)),
                "Aliases": {"Quantity": 0},
                "ContinuousDeploymentPolicyId": "",
            },
        )
        return {"Distribution": _shown(made), "ETag": made.etag, "Location": made.arn}


@operation("cloudfront", "GetDistribution")
def get_distribution(call: Call) -> dict[str, Any]:
    """Answer a distribution, and whether its last change has spread."""
    with _state.lock:
        found = _distribution(call, call.params["Id"])
        return {"Distribution": _shown(found), "ETag": found.etag}


@operation("cloudfront", "GetDistributionConfig")
def get_distribution_config(call: Call) -> dict[str, Any]:
    """Answer a distribution's configuration as it was given."""
    with _state.lock:
        found = _distribution(call, call.params["Id"])
        return {"DistributionConfig": copy.deepcopy(found.config), "ETag": found.etag}


@operation("cloudfront", "ListDistributions")
def list_distributions(call: Call) -> dict[str, Any]:
    """Answer every distribution in brief."""
    del call
    with _state.lock:
        items = [_shown(each) for each in _state.distributions.values()]
        brief = [
            {**item, **item["DistributionConfig"], "Staging": item["DistributionConfig"]["Staging"]} for item in items
        ]
        for item in brief:
            item.pop("DistributionConfig")
    listed = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(brief), "Items": brief}
    return {"DistributionList": listed}


@operation("cloudfront", "UpdateDistribution")
def update_distribution(call: Call) -> dict[str, Any]:
    """Replace a distribution's configuration."""
    config = _given(call.params["DistributionConfig"])
    with _state.lock:
        found = _distribution(call, call.params["Id"])
        _match(call, found.etag, call.params.get("IfMatch"))
        for fixed in ("CallerReference", "Staging"):
            if config.get(fixed) != found.config.get(fixed):
                raise call.error("IllegalUpdate", f"{fixed} cannot be changed")
        policy = config.get("ContinuousDeploymentPolicyId")
        if policy:
            _policy(call, policy)
            if config.get("HttpVersion", "http2").endswith("3"):
                raise call.error("InvalidArgument", "Continuous deployment is not supported with HTTP/3")
        found.config = config
        _changed(found)
        if not config["Staging"]:
            _tell(call, found.id, _held_by_staging(found))
        return {"Distribution": _shown(found), "ETag": found.etag}


@operation("cloudfront", "UpdateDistributionWithStagingConfig")
def promote(call: Call) -> dict[str, Any]:
    """Overwrite the primary's configuration with the staging one's, and switch the policy off."""
    with _state.lock:
        primary = _distribution(call, call.params["Id"])
        staging = _distribution(call, call.params["StagingDistributionId"])
        given = [each.strip() for each in (call.params.get("IfMatch") or "").split(",")]
        if given != [primary.etag, staging.etag]:
            raise call.error("PreconditionFailed", "The If-Match versions are not those of the two distributions.")
        attached = primary.config.get("ContinuousDeploymentPolicyId")
        if not attached or _staging_of(_policy(call, attached)) != staging.domain:
            raise call.error("InvalidArgument", "The primary has no policy that names this staging distribution.")
        kept: Config = {name: primary.config[name] for name in _KEPT_WHEN_PROMOTED if name in primary.config}
        primary.config = {**copy.deepcopy(staging.config), **kept, "Enabled": primary.config["Enabled"]}
        _changed(primary)
        _state.promoted[primary.id] = copy.deepcopy(primary.config["Origins"])
        policy = _policy(call, attached)
        policy.config = {**policy.config, "Enabled": False}
        policy.etag = _etag()
        _tell(call, primary.id, 1.0)
        return {"Distribution": _shown(primary), "ETag": primary.etag}


@operation("cloudfront", "DeleteDistribution")
def delete_distribution(call: Call) -> dict[str, Any]:
    """Delete a distribution that is disabled, deployed and in no policy."""
    with _state.lock:
        found = _distribution(call, call.params["Id"])
        _match(call, found.etag, call.params.get("IfMatch"))
        if any(_staging_of(policy) == found.domain for policy in _state.policies.values()):
            raise call.error("StagingDistributionInUse", "A policy names this staging distribution.")
        if found.config["Enabled"]:
            raise call.error("DistributionNotDisabled", "The distribution you are trying to delete is not disabled.")
        del _state.distributions[found.id]
        return {}


@operation("cloudfront", "TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    """Tag a distribution."""
    with _state.lock:
        found = _distribution(call, call.params["Resource"].rpartition("/")[2])
        found.tags |= {each["Key"]: each.get("Value", "") for each in call.params["Tags"]["Items"]}
        return {}


def tags_of(arn: str) -> dict[str, str]:
    """Return what a distribution is tagged with now; nothing for what is none."""
    with _state.lock:
        found = _state.distributions.get(arn.rpartition("/")[2])
        return dict(found.tags) if found else {}


@operation("cloudfront", "ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """Answer a distribution's tags."""
    with _state.lock:
        found = _distribution(call, call.params["Resource"].rpartition("/")[2])
        return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in sorted(found.tags.items())]}}


def _make(call: Call, given: Config) -> Distribution:
    config = _given(given)
    if any(each.config["CallerReference"] == config["CallerReference"] for each in _state.distributions.values()):
        raise call.error("DistributionAlreadyExists", "The caller reference is in use.")
    identifier = f"E{next(_state.numbers):013d}"
    made = Distribution(identifier, config, f"d{uuid.uuid4().hex[:13]}.cloudfront.net", "", 0.0, clock.now())
    _changed(made)
    _state.distributions[identifier] = made
    return made


def _given(config: Config) -> Config:
    defaults = {
        "Staging": False,
        "ContinuousDeploymentPolicyId": "",
        "HttpVersion": "http2",
        "Aliases": {"Quantity": 0},
    }
    return {**defaults, **copy.deepcopy(config)}


def _changed(found: Distribution) -> None:
    found.etag = _etag()
    found.modified = clock.now()
    found.deployed_at = clock.monotonic() + _state.spreading_seconds / clock.time_scale


def _shown(found: Distribution) -> dict[str, Any]:
    return {
        "Id": found.id,
        "ARN": found.arn,
        "Status": "Deployed" if clock.monotonic() >= found.deployed_at else "InProgress",
        "LastModifiedTime": found.modified,
        "InProgressInvalidationBatches": 0,
        "DomainName": found.domain,
        "DistributionConfig": copy.deepcopy(found.config),
    }


def _distribution(call: Call, identifier: str) -> Distribution:
    found = _state.distributions.get(identifier)
    if found is None:
        raise call.error("NoSuchDistribution", "The specified distribution does not exist.")
    return found


# -- policies -----------------------------------------------------------------


@operation("cloudfront", "CreateContinuousDeploymentPolicy")
def create_policy(call: Call) -> dict[str, Any]:
    """Create a policy for a staging distribution."""
    config = copy.deepcopy(call.params["ContinuousDeploymentPolicyConfig"])
    _check(call, config)
    with _state.lock:
        names = config["StagingDistributionDnsNames"].get("Items", [])
        for name in names:
            found = next((each for each in _state.distributions.values() if each.domain == name), None)
            if found is None or not found.config["Staging"]:
                raise call.error("InvalidArgument", f"{name} is not a staging distribution")
            if any(_staging_of(policy) == name for policy in _state.policies.values()):
                raise call.error("StagingDistributionInUse", "A policy names this staging distribution already.")
        if len(_state.policies) >= MOST_STAGING:
            raise call.error("TooManyContinuousDeploymentPolicies", "You have reached the maximum number of policies.")
        made = Policy(str(uuid.uuid4()), config, _etag(), clock.now())
        _state.policies[made.id] = made
        return {"ContinuousDeploymentPolicy": _told(made), "ETag": made.etag, "Location": made.id}


@operation("cloudfront", "GetContinuousDeploymentPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """Answer a policy."""
    with _state.lock:
        found = _policy(call, call.params["Id"])
        return {"ContinuousDeploymentPolicy": _told(found), "ETag": found.etag}


@operation("cloudfront", "GetContinuousDeploymentPolicyConfig")
def get_policy_config(call: Call) -> dict[str, Any]:
    """Answer a policy's configuration as it was given."""
    with _state.lock:
        found = _policy(call, call.params["Id"])
        return {"ContinuousDeploymentPolicyConfig": copy.deepcopy(found.config), "ETag": found.etag}


@operation("cloudfront", "ListContinuousDeploymentPolicies")
def list_policies(call: Call) -> dict[str, Any]:
    """Answer every policy, all at once."""
    del call
    with _state.lock:
        items = [{"ContinuousDeploymentPolicy": _told(each)} for each in _state.policies.values()]
    return {"ContinuousDeploymentPolicyList": {"MaxItems": 100, "Quantity": len(items), "Items": items}}


@operation("cloudfront", "UpdateContinuousDeploymentPolicy")
def update_policy(call: Call) -> dict[str, Any]:
    """Replace a policy's configuration."""
    config = copy.deepcopy(call.params["ContinuousDeploymentPolicyConfig"])
    with _state.lock:
        found = _policy(call, call.params["Id"])
        _match(call, found.etag, call.params.get("IfMatch"))
        _check(call, config)
        found.config, found.etag, found.modified = config, _etag(), clock.now()
        for each in _state.distributions.values():
            if each.config.get("ContinuousDeploymentPolicyId") == found.id:
                each.deployed_at = clock.monotonic() + _state.spreading_seconds / clock.time_scale
        _tell(call, found.id, _weight(config))
        return {"ContinuousDeploymentPolicy": _told(found), "ETag": found.etag}


@operation("cloudfront", "DeleteContinuousDeploymentPolicy")
def delete_policy(call: Call) -> dict[str, Any]:
    """Delete a policy that no distribution has."""
    with _state.lock:
        found = _policy(call, call.params["Id"])
        _match(call, found.etag, call.params.get("IfMatch"))
        if any(each.config.get("ContinuousDeploymentPolicyId") == found.id for each in _state.distributions.values()):
            raise call.error("ContinuousDeploymentPolicyInUse", "A distribution has this policy.")
        del _state.policies[found.id]
        return {}


def _check(call: Call, config: Config) -> None:
    traffic = config.get("TrafficConfig") or {}
    if traffic.get("Type") == "SingleWeight":
        weight = traffic.get("SingleWeightConfig", {}).get("Weight", -1)
        if not 0 <= weight <= MOST_WEIGHT or round(weight * 100, 9) % 1:
            raise call.error("InvalidArgument", f"The weight must lie between 0 and {MOST_WEIGHT}, in steps of 0.01.")
        session = traffic["SingleWeightConfig"].get("SessionStickinessConfig")
        if session and not SHORTEST_SESSION <= session["IdleTTL"] <= session["MaximumTTL"] <= LONGEST_SESSION:
            raise call.error(
                "InvalidArgument", "IdleTTL and MaximumTTL lie between 300 and 3600 s, the first not above the second."
            )
    if traffic.get("Type") == "SingleHeader" and not traffic["SingleHeaderConfig"]["Header"].lower().startswith(
        "aws-cf-cd-"
    ):
        raise call.error("InvalidArgument", "The header must begin with aws-cf-cd-.")


def _weight(config: Config) -> float:
    traffic = config.get("TrafficConfig") or {}
    if not config.get("Enabled") or traffic.get("Type") != "SingleWeight":
        return 0.0
    return float(traffic["SingleWeightConfig"]["Weight"])


def _held_by_staging(primary: Distribution) -> float:
    """Answer what part of the users get what staging was given: all of them while it is the primary's own."""
    if _state.promoted.get(primary.id) == primary.config["Origins"]:
        return 1.0
    attached = _state.policies.get(primary.config.get("ContinuousDeploymentPolicyId", ""))
    return _weight(attached.config) if attached else 0.0


def _staging_of(policy: Policy) -> str | None:
    names = policy.config["StagingDistributionDnsNames"].get("Items") or [None]
    name: str | None = names[0]
    return name


def _policy(call: Call, identifier: str) -> Policy:
    found = _state.policies.get(identifier)
    if found is None:
        raise call.error("NoSuchContinuousDeploymentPolicy", "The continuous deployment policy doesn't exist.")
    return found


def _told(policy: Policy) -> dict[str, Any]:
    return {
        "Id": policy.id,
        "LastModifiedTime": policy.modified,
        "ContinuousDeploymentPolicyConfig": copy.deepcopy(policy.config),
    }


def _match(call: Call, current: str, given: str | None) -> None:
    if not given:
        raise call.error("InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
    if given != current:
        raise call.error("PreconditionFailed", "The precondition in one or more of the request fields is false.")


def _etag() -> str:
    return f"E{uuid.uuid4().hex[:13].upper()}"


def _tell(call: Call, resource: str, weight: float) -> None:
    caller = call.headers.get("User-Agent", "")
    _state.changes.append(PolicyChange(clock.now(), call.action, resource, weight, caller))
