"""The embedded AWS as a whole: its start, its end, and the seams it hangs on."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from moto.dynamodb.models.dynamo_type import Item
from moto.s3.models import s3_backends

from rehearsal.aws import EmbeddedAws, in_process, registry, seams
from rehearsal.aws.clock import clock
from rehearsal.aws.registry import ACCOUNT, Call, operation
from rehearsal.aws.seams import SeamMoved
from rehearsal.timeless import timeless_aws
from tests.rehearsal.aws.lab import MODES, Lab, labs, until

TABLE = {
    "TableName": "journal",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def port_of(aws: EmbeddedAws) -> int:
    return int(aws.endpoint.rpartition(":")[2])


def test_each_start_begins_with_nothing() -> None:
    seen = []
    for _ in range(3):
        with EmbeddedAws() as aws:
            seen.append(aws.client("dynamodb").list_tables()["TableNames"])
            aws.client("dynamodb").create_table(**TABLE)

    assert seen == [[], [], []]


def test_both_modes_can_follow_each_other() -> None:
    seen = []
    for mode in (*MODES, *MODES):
        for lab in labs(mode):
            lab.client("dynamodb").create_table(**TABLE)
            seen.append(lab.client("dynamodb").list_tables()["TableNames"])

    assert seen == [["journal"]] * 4


def test_only_one_runs_at_a_time() -> None:
    with EmbeddedAws(), pytest.raises(RuntimeError, match="stop it first"):
        EmbeddedAws().start()


def test_stopping_frees_the_port_and_twice_is_once() -> None:
    aws = EmbeddedAws().start()
    port = port_of(aws)

    aws.stop()
    aws.stop()

    def is_free() -> bool:  # others on this machine may have it for a moment
        with socket.socket() as free, suppress(OSError):
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            return True
        return False

    until(is_free)


def test_it_listens_on_loopback_and_on_the_port_it_is_given() -> None:
    def listens_where_it_shall() -> bool:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with suppress(OSError), EmbeddedAws(port=port) as aws:  # others on this machine may have taken it
            assert aws.endpoint == f"http://127.0.0.1:{port}"
            return True
        return False

    until(listens_where_it_shall)


def test_stopping_ends_what_runs_and_leaves_no_thread_of_it() -> None:
    with EmbeddedAws() as aws:
        lab = Lab(aws)
        lab.start(lab.machine({"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}))

    def gone() -> bool:
        return not [t for t in threading.enumerate() if t.name.startswith(("embedded-aws", "execution-", "task-"))]

    until(gone)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_left_of_a_function_when_all_is_stopped(mode: str) -> None:
    code = "import os\ndef handler(event, context):\n    return [os.getpid(), os.environ['LAMBDA_TASK_ROOT']]\n"
    left: list[tuple[int, str]] = []

    for lab in labs(mode):
        (pid, root), _ = lab.invoke(lab.function(code))
        assert Path(root, "app.py").exists()
        left.append((pid, root))

    [(pid, root)] = left
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert not Path(root).parent.exists()


def test_nothing_outlives_a_process_that_is_killed() -> None:
    code = "import os\\ndef handler(event, context):\\n    return [os.getpid(), os.getcwd()]\\n"
    script = (
        "import os, signal\n"
        "from rehearsal.aws import EmbeddedAws\n"
        "from tests.rehearsal.aws.lab import Lab\n"
        "lab = Lab(EmbeddedAws().start())\n"
        f"print(*lab.invoke(lab.function('{code}'))[0], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603

    assert killed.returncode < 0, killed.stderr
    pid, folder = killed.stdout.split()
    until(lambda: not Path(f"/proc/{pid}").exists() and not Path(folder).parent.exists())


def test_a_child_process_reaches_it_by_its_environment_alone() -> None:
    script = "import boto3, json; print(json.dumps(boto3.client('dynamodb').list_tables()['TableNames']))"
    with EmbeddedAws() as aws:
        aws.client("dynamodb").create_table(**TABLE)

        said = subprocess.run(  # noqa: S603
            [sys.executable, "-c", script], env=aws.environment(), capture_output=True, text=True, check=True
        )

    assert json.loads(said.stdout) == ["journal"]


def test_a_scheduled_rule_fires_at_a_rehearsals_pace() -> None:
    with EmbeddedAws(time_scale=60) as aws:
        lab = Lab(aws)
        url, queue = lab.queue()
        aws.client("events").put_rule(Name="watch", ScheduleExpression="rate(1 minute)")
        aws.client("events").put_targets(Rule="watch", Targets=[{"Id": "queue", "Arn": queue}])

        told = [json.loads(body)["detail-type"] for body in lab.messages(url, 2)]

    assert set(told) == {"Scheduled Event"}


# -- seams --------------------------------------------------------------------


def test_the_seams_are_where_they_were() -> None:
    seams.check()


def test_a_seam_that_moved_is_named() -> None:
    gone = ("moto.core.responses:BaseResponse.answer", "moto.elsewhere:Thing")

    with pytest.raises(SeamMoved, match=r"BaseResponse.answer; moto no longer has moto.elsewhere:Thing"):
        seams.check(gone)


def test_another_version_of_moto_is_refused() -> None:
    with pytest.raises(SeamMoved, match=r"is installed and 4.0.0 is needed"):
        seams.check(expected="4.0.0")


# -- the registry -------------------------------------------------------------


def test_an_operation_can_decorate_what_moto_answers() -> None:
    @operation("sts", "GetCallerIdentity")
    def whoami(call: Call) -> dict[str, object]:
        return {**call.next(), "Arn": f"arn:{call.region}:{call.account}"}

    try:
        with in_process() as aws:
            said = aws.client("sts").get_caller_identity()
    finally:
        registry._operations.pop(("sts", "GetCallerIdentity"))

    assert (said["Account"], said["Arn"]) == ("123456789012", "arn:eu-west-1:123456789012")


def test_what_is_deleted_is_forgotten() -> None:
    key = {"pk": {"S": "it"}}
    with in_process() as aws:
        client = aws.client("dynamodb")
        client.create_table(
            TableName="journal",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.transact_write_items(TransactItems=[{"Put": {"TableName": "journal", "Item": key}}])
        client.get_item(TableName="journal", Key=key)
        client.delete_item(TableName="journal", Key=key)
        gc.collect()
        left = [each for each in gc.get_objects() if type(each) is Item]

    assert left == []


def test_a_misspelt_operation_is_refused_at_once() -> None:
    with pytest.raises(Exception, match="ModifyRules"):
        operation("elbv2", "ModifyRules")(lambda _: {})


def test_a_planned_function_that_fails_is_a_trouble_and_not_the_end() -> None:
    ran = threading.Event()

    def fail() -> None:
        raise ValueError("planned to fail")

    with EmbeddedAws() as aws:
        clock.later(0, fail)
        clock.later(0.05, ran.set)
        until(ran.is_set)
        until(lambda: aws.troubles)

        assert aws.troubles == ["ValueError: planned to fail"]


def test_what_was_planned_before_a_stop_never_runs() -> None:
    ran: list[str] = []
    with timeless_aws():
        clock.later(10, lambda: ran.append("before"))
    with timeless_aws():
        clock.later(10, lambda: ran.append("after"))
        clock.sleep(20)

    assert ran == ["after"]


def test_calls_are_answered_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, guard = 0, 0, threading.Lock()

    def answer(_: Call) -> dict[str, object]:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        time.sleep(0.05)  # long enough for the others to come in, if nothing keeps them out
        with guard:
            inside -= 1
        return {}

    for service, action in (("logs", "DescribeLogGroups"), ("elbv2", "DescribeRules")):
        monkeypatch.setitem(registry._operations, (service, action), answer)
    with EmbeddedAws() as aws:
        asks = [aws.client("logs").describe_log_groups, aws.client("elbv2").describe_rules] * 3
        callers = [threading.Thread(target=ask) for ask in asks]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    assert most == 1


def test_no_version_of_an_object_is_left_open_when_the_embedded_aws_ends() -> None:
    with in_process() as aws:
        objects = aws.client("s3")
        objects.create_bucket(Bucket="plans", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        objects.put_bucket_versioning(Bucket="plans", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"one", b"two"):
            objects.put_object(Bucket="plans", Key="plan.json", Body=body)
        versions = s3_backends[ACCOUNT]["aws"].buckets["plans"].keys.getlist("plan.json")
        before = [version.disposed for version in versions]

    assert before == [False, False]
    assert [version.disposed for version in versions] == [True, True]


@pytest.mark.parametrize("sent", ["", '{"TableName": "jou'])
def test_a_request_whose_sender_is_killed_meanwhile_troubles_nobody(sent: str) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261122/eu-west-1/dynamodb/aws4_request, SignedHeaders=host"
    head = (
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: {signed}, Signature=0",
        "Content-Type: application/x-amz-json-1.0",
        "Content-Length: 100",
        "X-Amz-Target: DynamoDB_20120810.GetItem",
    )
    with EmbeddedAws() as aws:
        with socket.create_connection(("127.0.0.1", port_of(aws))) as sender:
            sender.sendall("\r\n".join([*head, "", sent]).encode())
            sender.shutdown(socket.SHUT_WR)
            answer = sender.makefile("rb").read()

        assert b"RequestTimeoutException" in answer
        assert aws.troubles == []
