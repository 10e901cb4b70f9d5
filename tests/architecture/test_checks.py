"""Each check can fail: one fault is planted at a time in a machine and a stack that are otherwise clean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent

import pytest

from checks import diagrams, iam, iam_usage, templates, translation
from checks.expressions import expressions
from checks.finding import Finding
from checks.integrations import busy_is_retried, integrations, named_errors, pascal
from checks.machine import DuplicateKey, Machine, parse
from checks.structure import retries_agree, structure, tasks

CLEAN = """
Comment: Shifts every edge.
QueryLanguage: JSONata
StartAt: Read Record
States:
  Read Record:
    Type: Task
    Resource: arn:aws:states:::aws-sdk:dynamodb:getItem
    Arguments:
      TableName: ${JournalTable}
      Key:
        pk:
          S: "{% 'migration#' & $states.input.migration %}"
    TimeoutSeconds: 60
    Retry:
      - ErrorEquals: [DynamoDb.ProvisionedThroughputExceededException]
        IntervalSeconds: 1
    Catch:
      - ErrorEquals: [States.ALL]
        Assign:
          reason: "{% $states.errorOutput.Error %}"
        Next: Broken
    Assign:
      fence: "{% $number($states.result.Item.fence.N) %}"
      edges: "{% $states.input.edges %}"
    Next: Shift Edges
  Shift Edges:
    Type: Map
    Items: "{% $edges %}"
    ItemProcessor:
      StartAt: Shift Traffic
      States:
        Shift Traffic:
          Type: Task
          Resource: arn:aws:states:::lambda:invoke
          Arguments:
            FunctionName: ${ShiftTrafficArn}
            Payload:
              edge: "{% $states.input %}"
              fence: "{% $fence %}"
          TimeoutSeconds: 60
          Retry:
            - ErrorEquals: [EdgeBusy, Lambda.ClientExecutionTimeoutException, Lambda.ServiceException,
                            Lambda.AWSLambdaException, Lambda.SdkClientException, Lambda.TooManyRequestsException]
              IntervalSeconds: 2
              MaxAttempts: 5
          Catch:
            - ErrorEquals: [Fenced]
              Next: Shifted
            - ErrorEquals: [States.ALL]
              Next: Shifted
          Assign:
            held: "{% $states.result.Payload.held_bp %}"
          Next: Shifted
        Shifted:
          Type: Succeed
    Next: All?
  All?:
    Type: Choice
    Choices:
      - Condition: "{% $count($edges) > 0 %}"
        Next: Done
    Default: Wait
  Wait:
    Type: Wait
    Seconds: "{% $fence + 1 %}"
    Next: All?
  Done:
    Type: Succeed
  Broken:
    Type: Fail
    Error: EdgeChanged
    Cause: "{% $reason %}"
"""


def every_machine_check(machine: Machine) -> list[Finding]:
    found = [*structure(machine), *tasks(machine), *expressions(machine), *integrations(machine)]
    return [*found, *named_errors(machine), *retries_agree([machine])]


def test_the_clean_machine_is_clean() -> None:
    assert every_machine_check(parse("clean", CLEAN)) == []


FAULTS = {
    "start": ("StartAt: Read Record", "StartAt: Nowhere", "StartAt 'Nowhere' is no state"),
    "target": ("    Next: All?\n  All?:", "    Next: Every?\n  All?:", "next 'Every?' is no state"),
    "target of another scope": (
        "Next: Shifted\n        Shifted",
        "Next: Done\n        Shifted",
        "next 'Done' is no state",
    ),
    "catch target": ("        Next: Broken", "        Next: Brokn", "catch 'Brokn' is no state"),
    "default target": ("Default: Wait", "Default: Later", "default 'Later' is no state"),
    "choice target": ("        Next: Done", "        Next: Dun", "choice 'Dun' is no state"),
    "unreachable": ("    Default: Wait", "    Default: Done", "Wait: nothing leads here"),
    "no end": (
        "          Next: Shifted\n        Shifted:\n          Type: Succeed",
        "          Next: Shift Traffic",
        "no state ends it",
    ),
    "field of a state": ("    Items: ", "    ItemsPath: ", "ItemsPath is no field"),
    "field of JSONPath": ("    Seconds: ", "    SecondsPath: ", "SecondsPath is no field"),
    "field of a retry": ("MaxAttempts: 5", "MaxAttempt: 5", "MaxAttempt is no field"),
    "type": ("    Type: Wait", "    Type: Sleep", "Type 'Sleep' does not exist"),
    "neither next nor end": ("    Next: Shift Edges", "", "must have either Next or End"),
    "no default": ("    Default: Wait", "", "has no Default"),
    "States.ALL before another": ("[Fenced]", "[States.ALL]", "States.ALL must stand alone and last"),
    "States.ALL beside another": (
        "- ErrorEquals: [States.ALL]\n        Assign",
        "- ErrorEquals: [States.ALL, Fenced]\n        Assign",
        "alone",
    ),
    "error twice": ("[Fenced]", "[Fenced, Fenced]", "named twice"),
    "anchor": ("    Type: Wait", "    Type: Wait\n    Comment: &later now", "anchors"),
    "query language": ("QueryLanguage: JSONata", "QueryLanguage: JSONPath", "not JSONata"),
    "name twice": ("        Shifted:\n", "        Done:\n", "given to two states"),
    "no timeout": ("    TimeoutSeconds: 60\n    Retry", "    Retry", "has no TimeoutSeconds"),
    "no retry": (
        (
            "    Retry:\n      - ErrorEquals: [DynamoDb.ProvisionedThroughputExceededException]\n"
            "        IntervalSeconds: 1\n"
        ),
        "",
        "has no Retry",
    ),
    "no catch": (
        "            - ErrorEquals: [States.ALL]\n              Next: Shifted\n",
        "",
        "no Catch for States.ALL",
    ),
    "no heartbeat": (":lambda:invoke", ":lambda:invoke.waitForTaskToken", "has no HeartbeatSeconds"),
    "heartbeat alone": ("[Fenced]", "[States.HeartbeatTimeout]", "and not States.Timeout"),
    "Lambda not retried": ("Lambda.ServiceException,", "", "neither retries Lambda.ServiceException"),
    "jsonata": ("$fence + 1 %}", "$fence + %}", "does not parse"),
    "function": ("$count(", "$counted(", "no function $counted"),
    "eval": ("$count(", "$eval(", "no function $eval"),
    "variable": ("$fence + 1", "$fense + 1", "$fense is not assigned"),
    "variable of another way": ('Cause: "{% $reason', 'Cause: "{% $fence', "$fence is not assigned on every way"),
    "variable of an inner scope": ("$count($edges) > 0", "$held > 0", "$held is not assigned"),
    "shadowed": ("            held:", "            fence:", "a variable of an outer scope"),
    "result too early": ("$states.input.migration", "$states.result.migration", "$states.result does not exist here"),
    "error without error": (
        "$count($edges) > 0",
        "$states.errorOutput.Error = 'x'",
        "$states.errorOutput does not exist",
    ),
    "half an expression": ('"{% $fence + 1 %}"', '"in {% $fence + 1 %}"', "must be the whole string"),
    "operation": ("dynamodb:getItem", "dynamodb:getItems", "has no operation GetItems"),
    "operation's case": ("dynamodb:getItem", "dynamodb:GetItem", "must be in camel case"),
    "service": ("aws-sdk:dynamodb", "aws-sdk:dynamo", "'dynamo' is not known"),
    "integration": ("states:::lambda:invoke", "states:::lambda:call", "no integration"),
    "member": ("      TableName:", "      tableName:", "has no tableName: write TableName"),
    "member left out": ("      TableName: ${JournalTable}\n", "", "needs TableName"),
    "member within": ("          S: ", "          STR: ", "has no STR"),
    "answer": ("$states.result.Item.fence", "$states.result.Items.fence", "the answer of GetItem has no Items"),
    "own error": ("[EdgeBusy,", "[EdgeBuzy,", "crossfade.errors has no EdgeBuzy"),
    "base class": ("[EdgeBusy,", "[TryAgain,", "TryAgain is a base class"),
    "refusal retried": ("[EdgeBusy,", "[EdgeChanged,", "trying again does not help"),
    "own error of no handler": ("[DynamoDb.Prov", "[EdgeBusy, DynamoDb.Prov", "this Task calls none"),
    "error of the service": ("[DynamoDb.Provisioned", "[DynamoDb.Provided", "no error of dynamodb"),
    "error's prefix": ("[DynamoDb.Provisioned", "[DynamoDB.Provisioned", "no error of dynamodb"),
    "error of States": ("[Fenced]", "[States.Timedout]", "States.Timedout does not exist"),
    "fails with": ("Error: EdgeChanged", "Error: EdgeChangd", "which crossfade.errors does not have"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_machine_is_found(fault: str) -> None:
    old, new, said = FAULTS[fault]
    assert old in CLEAN, "the fault must be planted somewhere"

    found = every_machine_check(parse("faulty", CLEAN.replace(old, new, 1)))

    assert any(said in str(finding) for finding in found), found


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(DuplicateKey, match="Type"):
        parse("faulty", CLEAN.replace("    Type: Choice", "    Type: Choice\n    Type: Choice"))


def test_two_machines_that_retry_differently_are_found() -> None:
    other = parse("other", CLEAN.replace("MaxAttempts: 5", "MaxAttempts: 4"))

    found = list(retries_agree([parse("clean", CLEAN), other]))

    assert [finding.where for finding in found] == ["other / Shift Edges / Shift Traffic"]


def test_an_error_that_nobody_tries_again_is_found() -> None:
    found = [finding.where for finding in busy_is_retried([parse("clean", CLEAN)])]

    assert "JournalBusy" in found
    assert "EdgeBusy" not in found


@pytest.mark.parametrize(
    ("member", "written"),
    [
        ("DNSName", "DnsName"),
        ("TargetGroupArn", "TargetGroupArn"),
        ("awsvpcConfiguration", "AwsvpcConfiguration"),
        ("NULL", "Nul"),
        ("BOOL", "Bool"),
        ("KMSKeyId", "KmsKeyId"),
    ],
)
def test_members_are_written_as_step_functions_writes_them(member: str, written: str) -> None:
    assert pascal(member) == written


# -- template -------------------------------------------------------------------

STACK = dedent("""
    AWSTemplateFormatVersion: "2010-09-09"
    Transform: AWS::Serverless-2016-10-31
    Description: A small stack without faults.
    Metadata:
      AWS::CloudFormation::Interface:
        ParameterGroups:
          - Label: {default: Operations}
            Parameters: [Days, Cluster]
    Parameters:
      Cluster:
        Type: String
        Description: Name of the cluster whose services may be changed.
        Default: shop
      Days:
        Type: Number
        Description: Days for which logs are kept.
        Default: 30
    Globals:
      Function:
        Runtime: python3.13
        Architectures: [arm64]
        Handler: app.handler
        AutoPublishAlias: live
        Layers: [!Ref CoreLayer]
        LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Logs}
    Resources:
      CoreLayer:
        Type: AWS::Serverless::LayerVersion
        Metadata: {BuildMethod: makefile, BuildArchitecture: arm64}
        Properties:
          ContentUri: layers/core
          CompatibleRuntimes: [python3.13]
          CompatibleArchitectures: [arm64]
          PublishLambdaVersion: true
      Logs:
        Type: AWS::Logs::LogGroup
        DeletionPolicy: Delete
        UpdateReplacePolicy: Delete
        Properties: {RetentionInDays: !Ref Days}
      Undelivered:
        Type: AWS::SQS::Queue
        Properties: {SqsManagedSseEnabled: true}
      UndeliveredPolicy:
        Type: AWS::SQS::QueuePolicy
        Properties:
          Queues: [!Ref Undelivered]
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Principal: {Service: events.amazonaws.com}
                Action: sqs:SendMessage
                Resource: !GetAtt Undelivered.Arn
      ShiftTraffic:
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: functions/shift_traffic
          AutoPublishAliasAllProperties: true
          Policies:
            - Version: "2012-10-17"
              Statement:
                - Sid: ChangeServices
                  Effect: Allow
                  Action: ecs:UpdateService
                  Resource: !Sub "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service/${Cluster}/*"
                  Condition:
                    StringEquals: {"ecs:enable-service-connect": "true"}
                - Sid: PassRoles
                  Effect: Allow
                  Action: iam:PassRole
                  Resource: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Cluster}-task"
                  Condition: {StringEquals: {"iam:PassedToService": ecs-tasks.amazonaws.com}}
          Events:
            Alarms:
              Type: EventBridgeRule
              Properties:
                Pattern:
                  source: [aws.cloudwatch]
                  detail-type: [CloudWatch Alarm State Change]
                  detail:
                    state: {value: [ALARM]}
                RetryPolicy: {MaximumRetryAttempts: 4}
                DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}
      Climb:
        Type: AWS::Serverless::StateMachine
        Properties:
          DefinitionUri: statemachines/climb.asl.yaml
          DefinitionSubstitutions:
            ShiftTrafficArn: !Ref ShiftTraffic.Alias
            JournalTable: journal
          Policies:
            - LambdaInvokePolicy: {FunctionName: !Ref ShiftTraffic}
""")


def a_folder(root: Path, *, template: str = STACK, definition: str = CLEAN, makefile: str | None = None) -> Path:
    """A project with one function, one layer and one machine around this template."""
    (root / "functions" / "shift_traffic").mkdir(parents=True)
    (root / "functions" / "shift_traffic" / "app.py").write_text("def handler(event, context): ...\n")
    (root / "layers" / "core").mkdir(parents=True)
    (root / "layers" / "core" / "Makefile").write_text(
        makefile or "PYTHON_VERSION := 3.13\nARCHITECTURE ?= arm64\nbuild-CoreLayer:\n\ttrue\n"
    )
    (root / "statemachines").mkdir()
    (root / "statemachines" / "climb.asl.yaml").write_text(definition)
    (root / "template.yaml").write_text(template)
    return root


def template_findings(root: Path) -> list[str]:
    template = templates.load(root / "template.yaml")
    machine = parse("climb", (root / "statemachines" / "climb.asl.yaml").read_text())
    return [str(finding) for finding in templates.every_check(template, {"climb": machine})]


def test_the_clean_stack_is_clean(tmp_path: Path) -> None:
    root = a_folder(tmp_path)

    found = template_findings(root)

    translated = translation.translate(templates.load(root / "template.yaml"))
    assert found == []
    assert list(iam.permissions(translated)) == []
    assert list(translation.lint(root / "template.yaml")) == []
    assert list(translation.lint_translated(translated)) == []


STACK_FAULTS = {
    "folder": ("functions/shift_traffic", "functions/shift", "functions/shift/app.py does not exist"),
    "function without a resource": ("functions/shift_traffic", "functions/shift", "no function of the template"),
    "handler": ("app.handler", "app.handle_it", "has no handle_it"),
    "value": ("        JournalTable: journal\n", "", "${JournalTable} has no value"),
    "value too many": (
        "        JournalTable: journal",
        "        JournalTable: journal\n        Other: x",
        "Other is given and not asked for",
    ),
    "definition": ("climb.asl.yaml", "climbing.asl.yaml", "climbing.asl.yaml does not exist"),
    "pattern's value": ("source: [aws.cloudwatch]", "source: aws.cloudwatch", "must be a list"),
    "pattern's inner value": ("value: [ALARM]", "value: ALARM", "must be a list"),
    "pattern's field": ("detail-type:", "detailtype:", "no field 'detailtype'"),
    "queue's URL": ("Arn: !GetAtt Undelivered.Arn}", "Arn: !Ref Undelivered}", "Ref is its URL"),
    "queue's policy": ("Queues: [!Ref Undelivered]", "Queues: [elsewhere]", "no AWS::SQS::QueuePolicy lets"),
    "no queue": ("            DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}\n", "", "has no DeadLetterConfig"),
    "no retry policy": ("            RetryPolicy: {MaximumRetryAttempts: 4}\n", "", "has no RetryPolicy"),
    "partition": ('"arn:${AWS::Partition}:ecs', '"arn:aws:ecs', "write ${AWS::Partition}"),
    "any role": (
        'Resource: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Cluster}-task"',
        'Resource: "*"',
        "on every role",
    ),
    "to any service": (
        'Condition: {StringEquals: {"iam:PassedToService": ecs-tasks.amazonaws.com}}',
        "",
        "without iam:PassedToService",
    ),
    "layer's processor": (
        "CompatibleArchitectures: [arm64]",
        "CompatibleArchitectures: [x86_64]",
        "CompatibleArchitectures is",
    ),
    "build's processor": ("BuildArchitecture: arm64", "BuildArchitecture: x86_64", "BuildArchitecture is arm64"),
    "layer's runtime": (
        "CompatibleRuntimes: [python3.13]",
        "CompatibleRuntimes: [python3.12]",
        "CompatibleRuntimes is",
    ),
    "runtime": ("    Runtime: python3.13", "    Runtime: python3.14", "its Makefile builds for python3.14"),
    "alias": ("      AutoPublishAliasAllProperties: true\n", "", "keeps the old layer"),
    "layer's version": ("      PublishLambdaVersion: true\n", "", "does not move the functions' alias"),
    "description": ("    Description: Days for which logs are kept.\n", "", "without Description"),
    "group": ("Parameters: [Days, Cluster]", "Parameters: [Weeks, Cluster]", "in no group"),
    "retention": (
        "    Properties: {RetentionInDays: !Ref Days}",
        "    Properties: {LogGroupName: x}",
        "without RetentionInDays",
    ),
    "log group": ("    LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Logs}\n", "", "no LoggingConfig.LogGroup"),
}


@pytest.mark.parametrize("fault", STACK_FAULTS)
def test_a_fault_in_a_template_is_found(fault: str, tmp_path: Path) -> None:
    old, new, said = STACK_FAULTS[fault]
    assert old in STACK, "the fault must be planted somewhere"

    found = template_findings(a_folder(tmp_path, template=STACK.replace(old, new, 1)))

    assert any(said in finding for finding in found), found


IAM_FAULTS = {
    "any service": (":service/${Cluster}/*", ":service/shop/*", "no parameter says which"),
    "everywhere": (
        'Resource: !Sub "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:service/${Cluster}/*"',
        'Resource: "*"',
        "on every resource there is",
    ),
    "action": ("ecs:UpdateService", "ecs:UpdateServices", "no such action"),
    "service": ("ecs:UpdateService", "ecz:UpdateService", "no such service"),
    "too wide": ("ecs:UpdateService", '"ecs:*"', "too wide"),
    "resource": (":service/${Cluster}/*", ":task-definition/shop:*", "does not act on"),
    "resource for none": ("ecs:UpdateService", "ecs:DescribeTaskDefinition", "takes no resource but *"),
    "condition never set": (
        '"ecs:enable-service-connect": "true"',
        '"aws:RequestTag/crossfade": "true"',
        "is never set for it",
    ),
    "operator for the key": (
        'StringEquals: {"ecs:enable-service-connect"',
        'Bool: {"ecs:enable-service-connect"',
        "does not fit it",
    ),
    "operator": (
        'StringEquals: {"ecs:enable-service-connect"',
        'StringIs: {"ecs:enable-service-connect"',
        "no condition operator",
    ),
    "effect": (
        "Sid: ChangeServices\n              Effect: Allow",
        "Sid: ChangeServices\n              Effect: Permit",
        "Effect 'Permit'",
    ),
    "to any service": (
        'Condition: {StringEquals: {"iam:PassedToService": ecs-tasks.amazonaws.com}}',
        "",
        "no condition iam:PassedToService",
    ),
}


@pytest.mark.parametrize("fault", IAM_FAULTS)
def test_a_permission_that_allows_nothing_or_too_much_is_found(fault: str, tmp_path: Path) -> None:
    old, new, said = IAM_FAULTS[fault]
    assert old in STACK, "the fault must be planted somewhere"
    template = templates.parse(tmp_path, STACK.replace(old, new, 1))

    found = [str(finding) for finding in iam.permissions(translation.translate(template))]

    assert any(said in finding for finding in found), found


def test_what_sam_refuses_is_said(tmp_path: Path) -> None:
    template = templates.parse(tmp_path, STACK.replace("LambdaInvokePolicy", "LambdaCallPolicy"))

    with pytest.raises(translation.Untranslatable, match=r"Climb.*Policy at index 0"):
        translation.translate(template)


def test_what_shows_only_after_the_transform_is_found(tmp_path: Path) -> None:
    a_reference_to_nothing = STACK.replace("!Ref ShiftTraffic}", "!Ref ShiftTrafic}")
    and_a_timeout_lambda_does_not_have = a_reference_to_nothing.replace(
        "    Handler:", "    Timeout: 1000\n    Handler:"
    )
    template = templates.parse(tmp_path, and_a_timeout_lambda_does_not_have)

    found = " ".join(str(each) for each in translation.lint_translated(translation.translate(template)))

    assert "ShiftTrafic" in found
    assert "1000" in found


# -- diagrams -------------------------------------------------------------------


def test_a_stale_diagram_is_found_and_redrawn(tmp_path: Path) -> None:
    machines = {"climb": parse("climb", CLEAN)}
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- drawn: climb -->\nold\n<!-- end -->\nafter\n<!-- drawn: phases -->\n<!-- end -->\n")

    before = list(diagrams.stale(tmp_path, machines))
    for path, _text, redrawn in diagrams.draw(tmp_path, machines):
        path.write_text(redrawn)

    assert [str(finding) for finding in before] == ["README.md: a diagram is stale: run `make docs`"]
    assert list(diagrams.stale(tmp_path, machines)) == []
    assert page.read_text().startswith("before\n<!-- drawn: climb -->\n```mermaid\n")
    assert "\nafter\n" in page.read_text()


def test_every_state_is_drawn_once_and_under_a_name_of_its_own() -> None:
    asked = CLEAN.replace("Done", "All")  # beside "All?"

    drawn = re.findall(r"^ +(s_\w+)(?:[\[({]| \[)", diagrams.flowchart(parse("climb", asked)), re.MULTILINE)
    nested = re.findall(r"subgraph (s_\w+)", diagrams.flowchart(parse("climb", asked)))

    states = [name for _place, name, _state in parse("climb", asked).states()]
    assert len(set(drawn) | set(nested)) == len(states)


def test_a_machine_that_no_document_shows_is_found(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- drawn: climbing -->\n<!-- end -->\n")

    found: Iterable[str] = map(str, diagrams.stale(tmp_path, {"climb": parse("climb", CLEAN)}))

    assert sorted(found) == [
        "climb: is drawn in no document",
        "climbing: is asked for by a document, and nothing draws it",
        "phases: is drawn in no document",
    ]


@pytest.mark.parametrize(
    ("use", "left"),
    [
        ("crossfade-Doing-ABCDEFGHIJK2 Do sns:Publish", {"sns:ListTopics"}),
        ("crossfade-Doing-ABCDEFGHIJK2 Else sns:Publish", {"sns:Publish", "sns:ListTopics"}),
        ("crossfade-Other-ABCDEFGHIJK2 Do sns:Publish", {"sns:Publish", "sns:ListTopics"}),
        ("crossfade-Doing-ABCDEFGHIJK2 Do sns:ListTopics", {"sns:Publish"}),
    ],
)
def test_an_action_that_nothing_asked_for_is_listed(use: str, left: set[str]) -> None:
    statement = {"Sid": "Do", "Effect": "Allow", "Action": ["sns:Publish", "sns:List*"], "Resource": "*"}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}

    found = iam_usage.unused({"Resources": {"Doing": policy}}, iam_usage.read(use + "\n"))

    assert {finding.what.split(": ")[0].replace("List*", "ListTopics") for finding in found} == left
