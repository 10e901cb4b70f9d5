"""The patch for the owner's code really applies, and afterwards the code says what the edge holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from crossfade.mesh.model import Place
from crossfade.mesh.sources import SourceText, read_sources
from crossfade_cli.driftpatch import Wanted, unified

GREEN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-web-sc/0123456789abcdef"
ALL = Wanted(green_arn=GREEN, blue_weight=0, green_weight=100)
SHOP = Path(__file__).parents[3] / "examples" / "shop"

WEIGHTED = """\
Resources:
  Front:  # users come in here
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      Priority: 10
      ListenerArn: arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/1/2
      Conditions: []
      Actions:
        - Order: 1
          Type: forward
          ForwardConfig:
            TargetGroups:
              - TargetGroupArn: !Ref Web  # blue
                Weight: 1

  Web:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {Name: shop-web, Port: 80}
"""
DASHED = WEIGHTED.replace(
    """\
        - Order: 1
          Type: forward
          ForwardConfig:
            TargetGroups:
              - TargetGroupArn: !Ref Web  # blue
                Weight: 1
""",
    """\
        - TargetGroupArn: !Ref Web
          Type: forward
""",
)
TERRAFORM = """\
resource "aws_lb_listener" "other" {
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.other.arn
  }
}

resource "aws_lb_listener" "web" {
  port = 80
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn # blue
  }
}
"""
COMMANDS = {"git": ["git", "apply"], "patch": ["patch", "-p1"]}


def applied(folder: Path, name: str, text: str, diff: str, command: list[str]) -> str:
    (folder / name).write_text(text)
    done = subprocess.run(  # noqa: S603 — our own commands
        command, input=f"what the patch is for\n{diff}", text=True, cwd=folder, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return (folder / name).read_text()


@pytest.mark.parametrize("command", [name for name in COMMANDS if shutil.which(name)])
@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("services.yaml", (SHOP / "services.yaml").read_text(), "Resources/Listener/defaultActions"),
        ("rule.yaml", WEIGHTED, "Resources/Front/actions"),
        ("dashed.yaml", DASHED, "Resources/Front/actions"),
        ("main.tf", TERRAFORM, "aws_lb_listener.web"),
    ],
)
def test_a_patch_applies_and_touches_the_action_alone(
    tmp_path: Path, name: str, text: str, path: str, command: str
) -> None:
    diff = unified({name: text}, Place(name, path), ALL)
    assert diff is not None

    after = applied(tmp_path, name, text, diff, COMMANDS[command])

    assert GREEN in after
    kept = [line for line in text.splitlines() if "arget" not in line and "Weight" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept
    assert unified({name: after}, Place(name, path), ALL) is None


def test_code_that_was_patched_says_what_the_edge_holds() -> None:
    texts = [SourceText(path=name, text=(SHOP / name).read_text()) for name in ("mesh.yaml", "services.yaml")]
    [rule] = read_sources(texts, {}).rules
    diff = unified({each.path: each.text for each in texts}, rule.place, ALL)
    assert diff is not None
    patched = _apply_by_hand(texts[1].text, diff)

    [after] = read_sources([texts[0], SourceText(path="services.yaml", text=patched)], {}).rules

    assert dict(after.weights) == {"shop-web": 0, "shop-web-sc": 100}


def _apply_by_hand(text: str, diff: str) -> str:
    removed = [line[1:] for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(removed) == 1
    return text.replace(removed[0], "\n".join(added), 1)


@pytest.mark.parametrize("indent", [1, 2])
def test_a_template_in_json_is_patched_as_it_is_indented(tmp_path: Path, indent: int) -> None:
    blue = {"Fn::ImportValue": "web"}
    action = {"Type": "forward", "TargetGroupArn": blue}
    listener = {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {"DefaultActions": [action]}}
    text = json.dumps({"Resources": {"Front": listener}}, indent=indent)
    diff = unified({"t.json": text}, Place("t.json", "Resources/Front/defaultActions"), ALL)
    assert diff is not None

    after = json.loads(applied(tmp_path, "t.json", text, diff, COMMANDS["git"]))

    [found] = after["Resources"]["Front"]["Properties"]["DefaultActions"]
    groups = [{"TargetGroupArn": blue, "Weight": 0}, {"TargetGroupArn": GREEN, "Weight": 100}]
    assert found == {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flow.yaml", "Resources: {Front: {Properties: {Actions: [{Type: forward, TargetGroupArn: x}]}}}\n"),
        ("two.yaml", WEIGHTED.replace("                Weight: 1\n", "              - TargetGroupArn: !Ref Other\n")),
        ("none.yaml", WEIGHTED.replace("Type: forward", "Type: redirect")),
        ("odd.json", '{"Resources":   {"Front": {"Properties": {"Actions": []}}}}'),
        ("main.tf", TERRAFORM.replace('"web"', '"Front"').replace("target_group_arn", "target")),
    ],
)
def test_what_cannot_be_rewritten_without_a_guess_gets_no_patch(name: str, text: str) -> None:
    assert unified({name: text}, Place(name, "Resources/Front/actions"), ALL) is None
