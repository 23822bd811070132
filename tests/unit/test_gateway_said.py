"""What the gateway has said already, and what remembering it costs."""

import tracemalloc

from daemon.brokers.gateway.said import REMEMBERED, Said

OPEN_ORDER, STATUS = 5, 3


def test_the_same_of_the_same_is_no_news() -> None:
    said = Said()

    assert said.is_news(OPEN_ORDER, "one", ("AAPL", "10"))
    assert not said.is_news(OPEN_ORDER, "one", ("AAPL", "10"))


def test_another_word_is_news_and_the_first_again_behind_it() -> None:
    said = Said()
    said.is_news(OPEN_ORDER, "one", ("AAPL", "10"))

    assert said.is_news(OPEN_ORDER, "one", ("AAPL", "20"))
    assert said.is_news(OPEN_ORDER, "one", ("AAPL", "10"))


def test_fields_are_told_apart_and_so_are_orders_and_kinds_of_messages() -> None:
    said = Said()
    said.is_news(OPEN_ORDER, "one", ("AAPL", "10"))

    assert said.is_news(OPEN_ORDER, "one", ("AAPL1", "0"))
    assert said.is_news(OPEN_ORDER, "two", ("AAPL1", "0"))
    assert said.is_news(STATUS, "one", ("AAPL1", "0"))


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    said = Said()
    for number in range(REMEMBERED + 1):
        said.is_news(STATUS, f"order {number}", ("Filled",))

    assert not said.is_news(STATUS, "order 1", ("Filled",))
    assert said.is_news(STATUS, "order 0", ("Filled",))


def test_a_message_of_a_hundred_and_fifty_fields_costs_no_more_than_a_short_one() -> None:
    said = Said()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            said.is_news(OPEN_ORDER, f"order {number}", [f"field {each}" for each in range(150)])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # Two digests of 49 bytes and their place in the dictionary.
    assert after - before < 1_000 * 250
