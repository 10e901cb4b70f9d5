from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from crossfade.draw.draw import draw_nothing
from crossfade.draw.options import DrawOptions
from crossfade.plan.page import graph, page
from tests.meshes import a_mesh, a_name, a_node, a_service, drawn, found, two_services

SVG = "{http://www.w3.org/2000/svg}"


def test_gaps_come_before_everything_else() -> None:
    said = page(drawn({**two_services(), **a_mesh(egress="DROP_ALL")}))

    assert said.index("EGRESS_FILTER") < said.index("Who calls whom") < said.index("<h2>Services")


def test_the_page_needs_nothing_but_itself() -> None:
    said = page(drawn(two_services()))

    assert re.findall(r"<(?:script|link|img|iframe|object)\b|\bsrc=|@import|url\(", said) == []


def test_every_service_stands_once_on_each_side_and_every_call_is_drawn_twice() -> None:
    plan = drawn(two_services())

    drawing = ET.fromstring("\n".join(graph(plan)))  # noqa: S314 — our own text
    names = [each.text for each in drawing.iter(f"{SVG}text") if each.get("class") == "name"]
    arrows = [each for each in drawing.iter(f"{SVG}path") if each.get("class") == "head"]
    assert sorted(str(name) for name in names) == ["api", "api-sc", "users", "users", "web", "web-sc"]
    assert len(arrows) == 2 * 2


def test_a_circle_is_drawn_and_told() -> None:
    circle = {**a_node("api", backends=["web.m.local"]), **a_name("web.m.local", node="web")}
    plan = drawn({**two_services(), **circle})

    assert plan.redeploy == ("api", "web")
    assert "Deployed a second time, since they call each other: api, web." in page(plan)


def test_names_that_look_like_markup_stay_words() -> None:
    plan = drawn({**two_services(), **a_node("api", Odd={"<b>": "<script>alert(1)</script>"})})

    assert "<script" not in page(plan)


def test_a_name_that_must_be_cut_keeps_its_end() -> None:
    names = [f"a-service-with-a-name-of-many-words-{number}" for number in (1, 2)]
    made = {key: value for name in names for key, value in {**a_node(name), **a_service(name)}.items()}

    drawing = ET.fromstring("\n".join(graph(drawn({**two_services(), **made}))))  # noqa: S314 — our own text
    shown = [str(each.text) for each in drawing.iter(f"{SVG}text") if each.get("class") == "name"]
    assert [each for each in shown if each.endswith("words-1")] == ["a-service-with…of-many-words-1"]
    assert len(set(shown)) == len(shown) - 1  # users stand on both sides


def test_a_wave_of_many_services_has_several_lines_and_both_sides_stay_in_sight() -> None:
    many = {key: value for n in range(20) for key, value in {**a_node(f"s{n}"), **a_service(f"s{n}")}.items()}

    drawing = ET.fromstring("\n".join(graph(drawn({**two_services(), **many}))))  # noqa: S314 — our own text
    width = float(drawing.get("viewBox", "").split()[2])
    boxes = [(int(str(each.get("x"))), int(str(each.get("y")))) for each in drawing.iter(f"{SVG}rect")]
    assert width < 1_500
    assert max(x for x, _y in boxes) + 206 < width
    assert len({y for _x, y in boxes}) > 7


def test_a_plan_of_nothing_has_a_page_too() -> None:
    plan = draw_nothing(found({**a_mesh(), **a_service("web", node="")}), DrawOptions(), None)

    assert "Nothing to migrate." in page(plan)
    assert "VESTIGIAL_MESH" in page(plan)
    assert "<svg" not in page(plan)


def test_no_box_covers_another() -> None:
    many = {key: value for n in range(7) for key, value in a_service(f"s{n}").items()}
    nodes = {key: value for n in range(7) for key, value in a_node(f"s{n}").items()}
    plan = drawn({**two_services(), **many, **nodes})

    drawing = ET.fromstring("\n".join(graph(plan)))  # noqa: S314 — our own text
    corners = [(each.get("x"), each.get("y")) for each in drawing.iter(f"{SVG}rect")]
    assert len(corners) == len(set(corners)) == 2 * (9 + 1)
