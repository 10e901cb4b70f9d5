from __future__ import annotations

import pytest

from crossfade.mesh.sources import SourceText, read_sources
from crossfade.mesh.tffiles import on_one_line

OVER_LINES = """
resource "aws_appmesh_mesh" "m" {
  name = "${
    join("-", [
      "a", # the first
      "b${upper(
        "c")}",
    ])
  }"
}
"""


def test_an_interpolation_over_several_lines_means_what_it_means_on_one() -> None:
    text = OVER_LINES.replace(" # the first", "")

    (mesh,) = read_sources([SourceText("main.tf", text)], {}).meshes

    assert mesh.name == "a-bC"


@pytest.mark.parametrize(
    "text",
    [
        'a = "x"\nb = "y"\n',
        'a = "{"\nb = "}"\n',
        'a = "\\""\nb = "$${not"\nc = "${d}"\n',
        'a = <<-EOT\n  "${\n  b\n  }"\n  EOT\nb = "c"\n',
        '# a "quoted\n/* comment " */\na = "b" // c "\n',
        'a = "never ended\nb = "c"\n',
        "",
    ],
)
def test_what_is_on_one_line_already_or_no_quoted_text_stays_as_it_is(text: str) -> None:
    assert on_one_line(text) == text
