"""What the embedded CloudFront refuses and answers as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws import in_process
from rehearsal.aws.cloudfront import spread_slowly
from tests.cdn import Cdn


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    with in_process():
        yield Cdn()


def staging_of(cdn: Cdn) -> dict[str, Any]:
    etag = cdn.client.get_distribution_config(Id=cdn.id)["ETag"]
    made = cdn.client.copy_distribution(
        PrimaryDistributionId=cdn.id, Staging=True, IfMatch=etag, CallerReference="copy", Enabled=True
    )
    return dict(made["Distribution"])


def policy_of(cdn: Cdn, domain: str, **traffic: Any) -> dict[str, Any]:
    config = {"StagingDistributionDnsNames": {"Quantity": 1, "Items": [domain]}, "Enabled": True}
    if traffic:
        config["TrafficConfig"] = traffic
    return dict(cdn.client.create_continuous_deployment_policy(ContinuousDeploymentPolicyConfig=config))


def weight(value: float, **session: int) -> dict[str, Any]:
    single: dict[str, Any] = {"Weight": value}
    if session:
        single["SessionStickinessConfig"] = session
    return {"Type": "SingleWeight", "SingleWeightConfig": single}


@pytest.mark.parametrize(
    "traffic",
    [
        weight(0.16),
        weight(0.125),
        weight(-0.01),
        weight(0.05, IdleTTL=299, MaximumTTL=600),
        weight(0.05, IdleTTL=600, MaximumTTL=300),
        weight(0.05, IdleTTL=300, MaximumTTL=3_601),
        {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": "x-test", "Value": "1"}},
    ],
)
def test_what_a_policy_cannot_hold_is_refused(cdn: Cdn, traffic: dict[str, Any]) -> None:
    domain = staging_of(cdn)["DomainName"]

    with pytest.raises(ClientError) as refused:
        policy_of(cdn, domain, **traffic)

    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_a_write_under_an_old_version_is_refused_and_changes_nothing(cdn: Cdn) -> None:
    old = cdn.client.get_distribution_config(Id=cdn.id)
    cdn.change(Comment="newer")

    with pytest.raises(cdn.client.exceptions.PreconditionFailed):
        cdn.client.update_distribution(Id=cdn.id, IfMatch=old["ETag"], DistributionConfig=old["DistributionConfig"])

    assert cdn.primary()["Comment"] == "newer"


def test_an_account_has_so_many_staging_distributions_and_no_more(cdn: Cdn) -> None:
    etag = cdn.client.get_distribution_config(Id=cdn.id)["ETag"]
    copied = {"PrimaryDistributionId": cdn.id, "Staging": True, "IfMatch": etag, "Enabled": True}
    for number in range(20):
        cdn.client.copy_distribution(CallerReference=f"copy-{number}", **copied)

    with pytest.raises(cdn.client.exceptions.TooManyDistributions):
        cdn.client.copy_distribution(CallerReference="one too many", **copied)


def test_a_primary_is_no_staging_distribution(cdn: Cdn) -> None:
    domain = cdn.client.get_distribution(Id=cdn.id)["Distribution"]["DomainName"]

    with pytest.raises(cdn.client.exceptions.InvalidArgument):
        policy_of(cdn, domain)


def test_http_3_takes_no_policy(cdn: Cdn) -> None:
    policy = policy_of(cdn, staging_of(cdn)["DomainName"])["ContinuousDeploymentPolicy"]["Id"]

    with pytest.raises(cdn.client.exceptions.InvalidArgument):
        cdn.change(HttpVersion="http2and3", ContinuousDeploymentPolicyId=policy)


def test_what_is_in_use_is_not_deleted(cdn: Cdn) -> None:
    staging = staging_of(cdn)
    made = policy_of(cdn, staging["DomainName"])
    policy = made["ContinuousDeploymentPolicy"]["Id"]
    cdn.change(ContinuousDeploymentPolicyId=policy)
    version = cdn.client.get_distribution_config(Id=staging["Id"])["ETag"]

    with pytest.raises(cdn.client.exceptions.StagingDistributionInUse):
        cdn.client.delete_distribution(Id=staging["Id"], IfMatch=version)
    with pytest.raises(cdn.client.exceptions.ContinuousDeploymentPolicyInUse):
        cdn.client.delete_continuous_deployment_policy(Id=policy, IfMatch=made["ETag"])


def test_a_promotion_keeps_the_primarys_names_and_switches_the_policy_off(cdn: Cdn) -> None:
    staging = staging_of(cdn)
    policy = policy_of(cdn, staging["DomainName"], **weight(0.1))["ContinuousDeploymentPolicy"]["Id"]
    cdn.change(ContinuousDeploymentPolicyId=policy)
    versions = [cdn.client.get_distribution_config(Id=each)["ETag"] for each in (cdn.id, staging["Id"])]

    cdn.client.update_distribution_with_staging_config(
        Id=cdn.id, StagingDistributionId=staging["Id"], IfMatch=", ".join(versions)
    )

    promoted = cdn.primary()
    assert (promoted["Aliases"]["Items"], promoted["CallerReference"]) == (["shop.example"], "shop")
    assert (promoted["Staging"], promoted["ContinuousDeploymentPolicyId"]) == (False, policy)
    held = cdn.client.get_continuous_deployment_policy(Id=policy)["ContinuousDeploymentPolicy"]
    assert held["ContinuousDeploymentPolicyConfig"]["Enabled"] is False


def test_a_change_is_in_progress_until_it_has_spread(cdn: Cdn) -> None:
    spread_slowly(3_600)

    cdn.change(Comment="slow")

    assert cdn.client.get_distribution(Id=cdn.id)["Distribution"]["Status"] == "InProgress"
