"""
The places where the embedded AWS reaches into moto, and the proof that they are where they were.

moto's modules promise nothing; so its version is pinned and every name that is patched or read here is
looked up at start, with one error that names all that moved.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version

MOTO = "5.2.5"
SEAMS = (
    "moto.awslambda.exceptions:UnknownFunctionException",
    "moto.awslambda.models:LambdaBackend.get_function",
    "moto.awslambda.models:LambdaBackend.layers_versions_by_arn",
    "moto.awslambda.models:LambdaFunction._invoke_lambda",
    "moto.awslambda.models:LambdaFunction.save_logs",
    "moto.awslambda.utils:get_backend",
    "moto.core.base_backend:BackendDict.iter_backends",
    "moto.core.base_backend:BackendDict.reset",
    "moto.core.common_models:BaseModel.__new__",
    "moto.core.errors:COMMON_ERROR_CODES",
    "moto.core.exceptions:ServiceException",
    "moto.core.model_instances:reset_model_data",
    "moto.core.request:determine_request_protocol",
    "moto.core.responses:ActionResult.result",
    "moto.core.responses:BaseResponse._enrich_response",
    "moto.core.responses:BaseResponse._get_action",
    "moto.core.responses:BaseResponse._transform_response",
    "moto.core.responses:BaseResponse.boto3_service_name",
    "moto.core.responses:BaseResponse.call_action",
    "moto.core.responses:BaseResponse.serialized",
    "moto.core.responses:PROTOCOL_PARSERS",
    "moto.core.routing:get_service_router",
    "moto.core.utils:camelcase_to_underscores",
    "moto.core.utils:get_service_model",
    "moto.dynamodb.models:DynamoDBBackend.transact_write_items",
    "moto.dynamodb.models.dynamo_type:DynamoType",
    "moto.dynamodb.models.table:Table",
    "moto.events.models:EventPattern.get_pattern",
    "moto.events.models:EventPattern.matches_event",
    "moto.events.models:EventsBackend.put_events",
    "moto.events.models:Rule.send_to_targets",
    "moto.iam.aws_managed_policies:aws_managed_policies_data",
    "moto.iam.models:AWSManagedPolicy.from_data",
    "moto.iam.models:IAMBackend._init_managed_policies",
    "moto.iam.models:PolicyVersion.is_default_version",
    "moto.iam.models:iam_backends",
    "moto.logs.models:LogsBackend.create_log_stream",
    "moto.logs.models:LogsBackend.ensure_log_group",
    "moto.logs.models:LogsBackend.put_log_events",
    "moto.applicationautoscaling.models:ApplicationAutoscalingBackend._ecs_service_exists_for_target",
    "moto.ec2.models:ec2_backends",
    "moto.ecs.models:EC2ContainerServiceBackend.describe_task_definition",
    "moto.elbv2.models:ELBv2Backend.modify_listener",
    "moto.elbv2.models:FakeListener.rules",
    "moto.logs.metric_filters:MetricFilters.get_matching_filters",
    "moto.logs.models:LogEvent",
    "moto.logs.models:LogStream.put_log_events",
    "moto.servicediscovery.models:ServiceDiscoveryBackend.create_service",
    "moto.sns.models:SNSBackend.publish",
    "moto.moto_server.werkzeug_app:DomainDispatcherApplication",
    "moto.moto_server.werkzeug_app:create_backend_app",
    "moto.iam.access_control:IAMPolicy.is_action_permitted",
    "moto.s3.models:FakeBucket.get_permission",
    "moto.s3.responses:S3Response._bucket_response",
    "moto.s3.responses:S3Response._key_response",
)


class SeamMoved(Exception):
    """moto is not the version, or no longer holds the names, that the embedded AWS was built on."""


def check(seams: tuple[str, ...] = SEAMS, *, expected: str = MOTO) -> None:
    """Look every seam up. Raises SeamMoved naming each one that is gone."""
    found = version("moto")
    gone = [seam for seam in seams if not _exists(seam)]
    if found == expected and not gone:
        return
    said = [f"moto {found} is installed and {expected} is needed"] if found != expected else []
    said += [f"moto no longer has {seam}" for seam in gone]
    raise SeamMoved("; ".join(said))


def _exists(seam: str) -> bool:
    module, _, path = seam.partition(":")
    try:
        found: object = importlib.import_module(module)
    except ImportError:
        return False
    for name in path.split("."):
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True
