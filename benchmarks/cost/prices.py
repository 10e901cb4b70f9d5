"""
What AWS asks for what the control plane uses: us-east-1, US dollars, without free tiers.

Noted by hand on AS_OF; SOURCES names AWS's page for each, look there before you rely on a figure. Most of those pages
fill their figures in by script, so that their text holds none: SEEN says where each was really read. Only the first
tier of each price is used: no migration reaches a second.
"""

from __future__ import annotations

from typing import Final

AS_OF: Final = "2026-11-22"
PRICES: Final = {
    "state transition": 0.025 / 1_000,
    "Lambda request": 0.20 / 1_000_000,
    "Lambda GB-second": 0.0000133334,
    "DynamoDB write unit": 0.625 / 1_000_000,
    "DynamoDB read unit": 0.125 / 1_000_000,
    "S3 GET": 0.0004 / 1_000,
    "CloudWatch metric read": 0.01 / 1_000,
    "SNS publish": 0.50 / 1_000_000,
    "EventBridge event put": 1.00 / 1_000_000,
    "X-Ray trace": 5.00 / 1_000_000,
}
SOURCES: Final = {
    "state transition": "https://aws.amazon.com/step-functions/pricing/",
    "Lambda request": "https://aws.amazon.com/lambda/pricing/",
    "Lambda GB-second": "https://aws.amazon.com/lambda/pricing/ (arm64)",
    "DynamoDB write unit": "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    "DynamoDB read unit": "https://aws.amazon.com/dynamodb/pricing/on-demand/",
    "S3 GET": "https://aws.amazon.com/s3/pricing/",
    "CloudWatch metric read": "https://aws.amazon.com/cloudwatch/pricing/",
    "SNS publish": "https://aws.amazon.com/sns/pricing/",
    "EventBridge event put": "https://aws.amazon.com/eventbridge/pricing/",
    "X-Ray trace": "https://aws.amazon.com/xray/pricing/",
}
ON_AWS_PAGE, ELSEWHERE, NOWHERE = "AWS's own page", "others' texts about it", "not found in any text; unverified"
SEEN: Final = {
    "state transition": ON_AWS_PAGE,
    "Lambda request": ELSEWHERE,
    "Lambda GB-second": ELSEWHERE,
    "DynamoDB write unit": ELSEWHERE,
    "DynamoDB read unit": ELSEWHERE,
    "S3 GET": NOWHERE,
    "CloudWatch metric read": ELSEWHERE,
    "SNS publish": NOWHERE,
    "EventBridge event put": NOWHERE,
    "X-Ray trace": NOWHERE,
}
MEMORY_GB: Final = 0.5  # template.yaml: MemorySize 512
COST_TARGET: Final = 0.05  # dollars a service, control plane
HISTORY_TARGET: Final = 2_500  # events an execution
