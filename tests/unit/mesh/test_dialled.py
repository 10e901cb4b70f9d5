from __future__ import annotations

import pytest

from crossfade.mesh.dialled import Dialled, dialled
from tests.meshes import a_service, found

NAMES = {"orders", "orders.shop.local"}


@pytest.mark.parametrize(
    ("variable", "value", "seen"),
    [
        ("ORDERS_URL", "http://orders.shop.local:8080/v1", [Dialled("orders.shop.local", 8080)]),
        ("ORDERS_URL", "http://orders:8080", [Dialled("orders", 8080)]),
        ("ORDERS_URL", "https://orders/v1", [Dialled("orders", None)]),
        ("ORDERS_HOST", "orders", [Dialled("orders", None)]),
        ("PEERS", "orders.shop.local,other.shop.local", [Dialled("orders.shop.local", None)]),
        ("ADDR", "Orders.Shop.Local:80", [Dialled("Orders.Shop.Local", 80)]),
        ("CONFIG", '{"url": "http://orders.shop.local:8080"}', [Dialled("orders.shop.local", 8080)]),
        ("SERVICE_NAME", "orders", []),
        ("QUEUE", "my-orders", []),
        ("URL", "http://my.orders.shop.local.example.com", []),
        ("TABLE", "orders-table", []),
    ],
)
def test_a_host_is_found_where_it_stands_and_nowhere_else(variable: str, value: str, seen: list[Dialled]) -> None:
    task = found(a_service("web", environment={variable: value})).task_definitions[0]

    assert list(dialled(task, NAMES)) == seen


def test_what_stands_in_envoys_environment_does_not_count() -> None:
    envoy = {"Environment": [{"Name": "URL", "Value": "http://orders.shop.local"}]}
    task = found(a_service("web", envoy=envoy)).task_definitions[0]

    assert dialled(task, NAMES) == ()
