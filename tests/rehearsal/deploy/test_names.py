from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.deploy.names import physical_name

WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,80}", fullmatch=True)


def test_a_made_up_name_tells_stack_and_logical_id() -> None:
    name = physical_name("shop", "Orders", place="1/eu-west-1", longest=64)

    assert re.fullmatch(r"shop-Orders-[A-Z2-7]{12}", name)


def test_a_bucket_name_is_all_lower_case() -> None:
    name = physical_name("shop", "Plans", place="1/eu-west-1", longest=63, lower=True)

    assert name == name.lower()


@given(stack=WORDS, logical_id=WORDS, longest=st.integers(min_value=20, max_value=255))
def test_a_made_up_name_always_fits_its_service(stack: str, logical_id: str, longest: int) -> None:
    name = physical_name(stack, logical_id, place="1/eu-west-1", longest=longest)

    assert len(name) <= longest
    assert name[0] == stack[0]


def test_the_same_resource_has_the_same_name_in_every_rehearsal_and_others_differ() -> None:
    names = [
        physical_name(stack, logical_id, place=place, longest=32)
        for stack, logical_id, place in [
            ("shop", "A", "1/eu-west-1"),
            ("shop", "A", "1/eu-west-1"),
            ("shop", "B", "1/eu-west-1"),
            ("shop2", "A", "1/eu-west-1"),
            ("shop", "A", "2/eu-west-1"),
        ]
    ]

    assert names[0] == names[1]
    assert len(set(names)) == 4
