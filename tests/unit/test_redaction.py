"""Secrets and account numbers are seen nowhere, however they are called, wherever they stand."""

import pytest

from ops.log.redaction import REDACTED, Redaction

TOKEN = "hush-hush-of-mine"  # noqa: S105 - no real one


@pytest.mark.parametrize(
    "key",
    [
        *("account", "Account", "ACCOUNT_NUMBER", "ibkrAccount", "password", "api_key", "apiKey"),
        *("client_secret", "token", "credentials", "auth", "Authorization", "passphrase"),
    ],
)
def test_a_field_is_redacted_by_its_name(key: str) -> None:
    assert Redaction().value({key: "anything", "symbol": "AAPL"}) == {
        key: REDACTED,
        "symbol": "AAPL",
    }


def test_a_field_is_redacted_by_its_name_however_deep_it_lies() -> None:
    found = Redaction().value({"sent": [{"to": "here", "headers": {"authorization": ["x"]}}]})
    assert found == {"sent": [{"to": "here", "headers": {"authorization": REDACTED}}]}


def test_a_known_secret_is_taken_out_of_any_text() -> None:
    redaction = Redaction([TOKEN])
    assert redaction.text(f"GET /?token={TOKEN}&x=1") == f"GET /?token={REDACTED}&x=1"
    assert redaction.value({"why": f"refused {TOKEN}", TOKEN: 1}) == {
        "why": f"refused {REDACTED}",
        REDACTED: 1,
    }


def test_of_two_secrets_that_begin_alike_nothing_is_left() -> None:
    assert Redaction(["abcdefgh", "abcdefgh12345"]).text("abcdefgh12345 abcdefgh") == (
        f"{REDACTED} {REDACTED}"
    )


@pytest.mark.parametrize("number", ["DU1234567", "U7654321", "DF123456", "F1234567", "I9999999"])
def test_an_account_number_is_taken_out_though_nobody_said_that_it_is_one(number: str) -> None:
    assert (
        Redaction().text(f"account {number} is restricted") == f"account {REDACTED} is restricted"
    )


def test_ids_and_figures_of_ours_are_left_as_they_are() -> None:
    text = "AAPL-20121105T150600-0b0b0800091a3988e33445a2 of DU at 1234567.89, break-90-1"
    assert Redaction(["abcdef"]).text(text) == text


def test_who_logs_in_is_taken_out_of_an_address() -> None:
    assert (
        Redaction().text("mailto://me:pass@host/x failed") == f"mailto://{REDACTED}@host/x failed"
    )


def test_what_is_too_short_to_be_a_secret_blots_out_nothing() -> None:
    assert Redaction(["a", ""]).text("a day") == "a day"


def test_numbers_stay_numbers_and_what_json_has_not_becomes_text() -> None:
    assert Redaction().value(
        {"seq": 7, "more": 1.5, "none": None, "who": ValueError("U1234567")}
    ) == {
        "seq": 7,
        "more": 1.5,
        "none": None,
        "who": REDACTED,
    }
