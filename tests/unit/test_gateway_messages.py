"""What the gateway says, read from text; account numbers replaced; where settings come from."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.alias import OTHER, Alias
from daemon.brokers.gateway.messages import (
    Unreadable,
    number_or_none,
    read_commission,
    read_execution,
    read_status,
    read_time,
    split_execution_id,
)
from daemon.brokers.gateway.settings import assert_account, find_settings
from daemon.config.file import ConfigError
from daemon.config.options import BrokerConfig, Config, FeedConfig, GatewayConfig
from events import Mode
from tests.builders import utc

# A line as a gateway says it: ten AAPL bought at 150.01.
SAID = (
    "11|-1|5|265598|AAPL|STK||0|||ISLAND|USD|AAPL|NMS|0000e0d5.65a1.01.01|"
    "20240102 10:00:00 US/Eastern|DU1234567|ISLAND|BOT|10|150.01|1840|1001|0|10|150.01|o1||||2|0"
)
EXECUTION = SAID.split("|")


def fields(said: str) -> list[str]:
    return said.split("|")


def test_an_execution_is_signed_and_exact() -> None:
    execution = read_execution(EXECUTION)
    assert (execution.quantity, execution.price) == (10, Decimal("150.01"))
    assert (execution.root, execution.revision) == ("0000e0d5.65a1.01", 1)
    sold = [*EXECUTION]
    sold[18] = "SLD"
    assert read_execution(sold).quantity == -10


@pytest.mark.parametrize(
    ("position", "value"), [(18, "BUY"), (19, "ten"), (19, ""), (20, "1.7976931348623157E308")]
)
def test_an_execution_that_cannot_be_read_says_so(position: int, value: str) -> None:
    wrong = [*EXECUTION]
    wrong[position] = value
    with pytest.raises(Unreadable):
        read_execution(wrong)
    with pytest.raises(Unreadable):
        read_execution(EXECUTION[:20])


@pytest.mark.parametrize(
    ("text", "root", "revision"),
    [
        ("0000e0d5.65a1.01.01", "0000e0d5.65a1.01", 1),
        ("0000e0d5.65a1.01.02", "0000e0d5.65a1.01", 2),
        ("0000e0d5.65a1.01.10", "0000e0d5.65a1.01", 10),
        ("plain", "plain", 1),
        ("a.b", "a.b", 1),
        ("a.00", "a.00", 1),
        (".01", ".01", 1),
    ],
)
def test_a_correction_differs_only_behind_the_last_dot(text: str, root: str, revision: int) -> None:
    assert split_execution_id(text) == (root, revision)


@pytest.mark.parametrize(
    "text",
    ["", "None", "1.7976931348623157E308", "1.797e+308", "2147483647", "nan", "inf", "-inf"],
)
def test_every_spelling_of_unset_is_none(text: str) -> None:
    assert number_or_none(text) is None


def test_text_that_is_no_number_is_not_taken_for_unset() -> None:
    with pytest.raises(Unreadable):
        number_or_none("12,5")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20240102 09:30:00 US/Eastern", "2024-01-02T14:30"),
        ("20240702 09:30:00 America/New_York", "2024-07-02T13:30"),
        ("20240702 09:30:00 EST", "2024-07-02T13:30"),
        ("20240102 15:30:00 MET", "2024-01-02T14:30"),
        ("20240102-14:30:00", "2024-01-02T14:30"),
        ("20240102  14:30:00", "2024-01-02T14:30"),
        ("20240102 14:30:00 UTC", "2024-01-02T14:30"),
    ],
)
def test_an_executions_time_in_every_spelling(text: str, moment: str) -> None:
    assert read_time(text, "UTC") == utc(moment)


@pytest.mark.parametrize("text", ["", "yesterday", "20240102 09:30:00 Narnia", "20249902  1:1:1"])
def test_a_time_nobody_understands_is_none_and_no_error(text: str) -> None:
    assert read_time(text, "UTC") is None


def test_status_and_commission() -> None:
    status = read_status(fields("3|5|Submitted|4|6|150|1840|0|150|1001|locate|0"))
    assert (status.filled, status.remaining, status.why_held) == (4, 6, "locate")
    commission = read_commission(fields("59|1|e.01|1.7976931348623157E308|USD|0|0|"))
    assert commission.amount is None


def test_every_kind_that_is_recorded_has_its_name() -> None:
    assert set(messages.KINDS.values()) == {
        "orderStatus", "error", "openOrder", "execDetails", "commissionReport", "position",
        "orderBound", "completedOrder",
    }  # fmt: skip


# Accounts.


def test_our_account_reads_as_its_alias_and_any_other_as_none_of_ours() -> None:
    alias = Alias("DU1234567", "main")
    alias.learn(["DU1234567", "X-77"])
    text = "order of DU1234567, not U7654321, F1234567 or X-77; DUMMY and U2 stay"
    assert alias.text(text) == (
        f"order of main, not {OTHER}, {OTHER} or {OTHER}; DUMMY and U2 stay"
    )
    assert alias.fields(["DU1234567", "10"]) == ("main", "10")
    assert (alias.is_ours("DU1234567"), alias.is_ours(""), alias.is_ours("X-77")) == (
        True,
        True,
        False,
    )


# Settings.

SENDS = Config(
    mode=Mode.BROKER_PAPER, broker=BrokerConfig(kind="ibkr"), feed=FeedConfig(kind="ibkr")
)
PAPER = {"IBKR_ACCOUNT": "DU1234567"}


def problems(config: Config, environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        find_settings(config, environment)
    return refused.value.problems


def test_settings_have_their_usual_values_and_show_no_account() -> None:
    settings = find_settings(SENDS, PAPER).settings
    assert (settings.host, settings.port, settings.client_id) == ("127.0.0.1", 7497, 1001)
    assert "DU1234567" not in f"{settings!r} {settings}"
    live = msgspec.structs.replace(SENDS, mode=Mode.LIVE)
    assert find_settings(live, {"IBKR_ACCOUNT": "U1234567"}).settings.port == 7496


def test_the_configuration_counts_before_the_environment_and_that_is_said() -> None:
    config = msgspec.structs.replace(SENDS, gateway=GatewayConfig(port=4002))
    found = find_settings(config, PAPER | {"IBKR_PORT": "7497", "IBKR_HOST": "gw"})
    assert (found.settings.port, found.settings.host) == (4002, "gw")
    assert found.notices == (
        "gateway.port = 4002 of the configuration counts, not IBKR_PORT = 7497",
    )


def test_a_missing_account_is_named() -> None:
    (problem,) = problems(SENDS, {})
    assert problem == (
        "IBKR_ACCOUNT is not set: the account orders are for, as the credential ibkr_account, "
        "in the environment or by `traded secrets set`"
    )


def test_the_account_is_a_credential_before_it_is_a_variable(tmp_path: Path) -> None:
    (tmp_path / "ibkr_account").write_text("DU7654321\n")
    found = find_settings(SENDS, PAPER | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found.settings.account == "DU7654321"
    (tmp_path / "ibkr_account").write_text("\n")
    (problem,) = problems(SENDS, PAPER | {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert problem.startswith(f"IBKR_ACCOUNT: the credential {tmp_path}/ibkr_account is empty")


@pytest.mark.parametrize("text", ["0", "-1", "70000", "x", "7497.0", "\uff17\uff14"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    assert "IBKR_PORT" in problems(SENDS, PAPER | {"IBKR_PORT": text})[0]


@pytest.mark.parametrize(
    ("mode", "account", "port", "said"),
    [
        (Mode.BROKER_PAPER, "U1234567", 7497, "an account with real money"),
        (Mode.LIVE, "DU1234567", 7496, "a paper account"),
        (Mode.BROKER_PAPER, "DU1234567", 7496, "where real-money logins listen"),
        (Mode.BROKER_PAPER, "DU1234567", 4001, "where real-money logins listen"),
        (Mode.LIVE, "U1234567", 7497, "where paper logins listen"),
        (Mode.LIVE, "U1234567", 4002, "where paper logins listen"),
    ],
)
def test_mode_account_and_port_have_to_agree(
    mode: Mode, account: str, port: int, said: str
) -> None:
    config = msgspec.structs.replace(SENDS, mode=mode, gateway=GatewayConfig(port=port))
    (problem,) = problems(config, {"IBKR_ACCOUNT": account})
    assert said in problem
    assert account not in problem


def test_a_login_without_the_account_is_refused_and_no_number_is_shown() -> None:
    settings = find_settings(SENDS, PAPER).settings
    assert_account(settings, ("DU7", "DU1234567"))
    with pytest.raises(ConfigError, match="has 2 accounts") as refused:
        assert_account(settings, ("DU7654321", "DU2"))
    assert "DU" not in str(refused.value).replace("IBKR_ACCOUNT", "")
