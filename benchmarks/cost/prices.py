"""
What AWS asks for what the control plane uses: us-east-1, US dollars, without free tiers.

Noted by hand on AS_OF from AWS's public price pages as they were known then; look there before you rely on a figure.

Source: the pricing pages of AWS Step Functions, AWS Lambda (arm64), Amazon DynamoDB (on demand), Amazon S3, Amazon
CloudWatch, Amazon SNS, Amazon EventBridge and AWS X-Ray.
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
MEMORY_GB: Final = 0.5  # template.yaml: MemorySize 512
COST_TARGET: Final = 0.05  # dollars a service, control plane
HISTORY_TARGET: Final = 2_500  # events an execution
