"""Numbers in a request: as people write them, and nothing that only Python takes for one."""

from decimal import Decimal

import pytest

from daemon.control.protocol import VERSION, BadRequest, Request
from daemon.control.requests import Arguments


def asked(number: str) -> Arguments:
    return Arguments(Request(VERSION, "order", "cmd-00001", args={"quantity": number}))


@pytest.mark.parametrize("text", ["1", "-10", "+3", "0.5", ".5", "10.", "1e3", "2.5E-1"])
def test_a_number_is_taken_as_it_is_written(text: str) -> None:
    assert asked(text).number("quantity") == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "\uff11\uff10",
        "\u0663",
        "1,000",
        " 1",
        "",
        ".",
        "1e",
        "0x10",
        "NaN",
        "inf",
        "-Infinity",
    ],
)
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="quantity"):
        asked(text).number("quantity")


@pytest.mark.parametrize("text", ["1e13", "-1e999", "9" * 60])
def test_a_number_of_no_sensible_size_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="sensible size"):
        asked(text).number("quantity")
