"""What the AWS::Serverless transform does on AWS's side, done here with AWS's own translator and no AWS."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import TemplateRefused

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the translator's own models use pydantic's old interface
    import boto3
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.metrics.metrics import DummyMetricsPublisher, Metrics
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template

TRANSFORM = "AWS::Serverless-2016-10-31"


def translate(
    document: Mapping[str, Any], parameters: Mapping[str, str], *, region: str, partition: str = "aws"
) -> dict[str, Any]:
    """
    Return the CloudFormation template a packaged SAM template stands for.

    Args:
        document: The SAM template as data, its local paths already replaced by S3 objects.
        parameters: Values of its parameters, defaults included.
        region: Where it will be deployed; some resources differ between Regions.
        partition: Decides the ARNs of the managed policies it names.

    Raises:
        TemplateRefused: it has another transform, or the translator found faults; all are named.
    """
    if document.get("Transform") != TRANSFORM:
        raise TemplateRefused(f"the template's Transform must be {TRANSFORM}, and that alone")
    policies = get_bundled_managed_policy_map(partition) or {}
    source: dict[str, Any] = copy.deepcopy(dict(document))
    values: dict[str, Any] = dict(parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        to_py27_compatible_template(source, values)  # the names of versions and deployments hash as on AWS
        counts = Metrics("translation", DummyMetricsPublisher())
        translator = Translator(policies, Parser(), boto_session=boto3.Session(region_name=region), metrics=counts)
        try:
            translated = translator.translate(source, values, get_managed_policy_map=lambda: policies)
        except InvalidDocumentException as error:
            faults = "; ".join(str(cause.message) for cause in error.causes)
            raise TemplateRefused(f"the template cannot be translated: {faults}") from error
        finally:
            counts.publish()  # to nobody; it warns when left undone
    answer: dict[str, Any] = undo_mark_unicode_str_in_template(translated)
    return answer
