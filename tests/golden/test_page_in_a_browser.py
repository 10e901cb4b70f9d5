"""The report's page, looked at in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

import pytest

from crossfade.plan.page import page
from tests.meshes import a_mesh, a_name, a_node, a_service, drawn, two_services

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def _starts(path: str) -> bool:
    """Whether a browser runs here; one that is merely found may lack what it needs."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False


FOUND = [os.environ.get("CHROME_PATH", ""), *(shutil.which(name) or "" for name in NAMES)]
BROWSER = next((path for path in FOUND if path and _starts(path)), None)
WIDTH, HEIGHT = 920, 900
needs_browser = pytest.mark.skipif(BROWSER is None, reason=f"no Chromium here (CHROME_PATH, {', '.join(NAMES)})")

Colour = tuple[int, int, int]
BLUE, GREEN, RED = (0x1D, 0x4E, 0xD8), (0x15, 0x80, 0x3D), (0xB4, 0x23, 0x18)


def pixels(png: bytes) -> tuple[tuple[int, int], list[list[Colour]]]:
    """The size of a PNG of 8 bits a channel, not interlaced, and its colours row by row."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    width = height = channels = 0
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _c, _f, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, interlaced) == (8, 0)
            channels = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    raw, stride = zlib.decompress(data), width * channels
    before, rows = bytearray(stride), []
    for number in range(height):
        start = number * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter(raw[start], line, before, channels)
        rows.append([(line[x], line[x + 1], line[x + 2]) for x in range(0, stride, channels)])
        before = line
    return (width, height), rows


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    """Undo a PNG filter in place (PNG specification, section 9)."""
    if kind == 0:
        return
    for at in range(len(line)):
        left, up = line[at - step] if at >= step else 0, above[at]
        corner = above[at - step] if at >= step else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        else:
            nearest = left + up - corner
            guess = min((left, up, corner), key=lambda each, nearest=nearest: abs(nearest - each))  # type: ignore[misc]
        line[at] = (line[at] + guess) & 0xFF


def look(html: str, folder: Path) -> tuple[str, bytes]:
    """What the browser makes of a page: its document, and a picture."""
    file, picture = folder / "page.html", folder / "page.png"
    file.write_text(html, encoding="utf-8")
    assert BROWSER is not None
    common = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    common += [f"--user-data-dir={folder / 'profile'}", f"--window-size={WIDTH},{HEIGHT}"]
    wanted = [[*common, "--dump-dom", file.as_uri()], [*common, f"--screenshot={picture}", file.as_uri()]]
    answers = [subprocess.run(each, capture_output=True, timeout=120, check=True) for each in wanted]  # noqa: S603
    return answers[0].stdout.decode(), picture.read_bytes()


@needs_browser
def test_the_page_shows_gaps_first_and_the_call_graph_blue_beside_green(tmp_path: Path) -> None:
    resources = {**two_services(), **a_mesh(egress="DROP_ALL")}
    resources |= {**a_node("api", backends=["web.m.local"]), **a_name("web.m.local", node="web")}

    document, picture = look(page(drawn(resources)), tmp_path)

    assert re.findall(r"<h2>([^<]*)", document)[:2] == ["Gaps", "Who calls whom"]
    (width, height), rows = pixels(picture)
    assert (width, height) == (WIDTH, HEIGHT)
    seen = Counter(colour for row in rows for colour in row)
    assert min(seen[RED], seen[BLUE], seen[GREEN]) > 100
    columns = {tone: [x for row in rows for x, colour in enumerate(row) if colour == tone] for tone in (BLUE, GREEN)}
    assert max(columns[BLUE]) < min(columns[GREEN])
    top = {tone: next(y for y, row in enumerate(rows) if tone in row) for tone in (RED, BLUE)}
    assert top[RED] < top[BLUE]


MEASURED = """<script>
const inside = (text) => {
  const box = text.parentNode.querySelector("rect");
  if (!box) return true;
  const [said, room] = [text.getBoundingClientRect(), box.getBoundingClientRect()];
  return said.left >= room.left && said.right <= room.right;
};
const texts = [...document.querySelectorAll("svg g.node text")];
const drawing = document.querySelector("svg").getBoundingClientRect();
document.body.dataset.texts = texts.length;
document.body.dataset.outside = texts.filter((text) => !inside(text)).length;
document.body.dataset.seen = drawing.left >= 0 && drawing.right <= window.innerWidth;
</script></body>"""


@needs_browser
def test_a_large_plan_with_long_names_is_seen_whole_and_no_name_leaves_its_box(tmp_path: Path) -> None:
    names = [f"warehouse-management-monthly-mammoth-{number}" for number in range(24)]
    made = {key: value for name in names for key, value in {**a_node(name), **a_service(name)}.items()}
    named = {key: value for name in names for key, value in a_name(f"{name}.m.local", node=name).items()}
    calling = a_node("web", backends=[f"{name}.m.local" for name in names])

    document, picture = look(
        page(drawn({**two_services(), **made, **named, **calling})).replace("</body>", MEASURED), tmp_path
    )

    said = dict(re.findall(r'data-(texts|outside|seen)="([^"]*)"', document))
    assert said == {"texts": str(2 * 2 * (len(names) + 3)), "outside": "0", "seen": "true"}
    (_size, rows) = pixels(picture)
    seen = Counter(colour for row in rows for colour in row)
    assert min(seen[BLUE], seen[GREEN]) > 100
