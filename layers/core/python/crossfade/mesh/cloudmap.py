"""What Cloud Map answers: namespaces, and the services registered in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_names(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every namespace and every service of the account in this Region, as the API describes them."""
    for page in client.get_paginator("list_namespaces").paginate():
        yield {"Namespaces": page["Namespaces"]}
    services = [each for page in client.get_paginator("list_services").paginate() for each in page["Services"]]
    # the list does not say in which namespace a service is
    yield {"Services": [client.get_service(Id=each["Id"])["Service"] for each in services]}
