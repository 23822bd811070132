"""The operator's splits and dividends: all mistakes at once, and nothing of a file that has one."""

import subprocess
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.config.corporate_actions_file import BadCorporateActions, read_corporate_actions
from daemon.exit_codes import ExitCode
from events import CorporateActionAnnounced, CorporateActionKind, Symbol
from events.codec import decode, encode
from events.journal import JournalReader
from tests.command_line import traded

HEADER = "symbol,ex_date,kind,ratio,cash_per_share_usd,pay_date\n"


def read(folder: Path, text: str | bytes) -> list[CorporateActionAnnounced]:
    path = folder / "actions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_corporate_actions(path)


def refused(folder: Path, text: str | bytes) -> list[str]:
    """Return what is said about the file, a line a problem, its path left out."""
    with pytest.raises(BadCorporateActions) as error:
        read(folder, text)
    return str(error.value).replace(f"{folder / 'actions.csv'}:", "").splitlines()


def test_splits_and_dividends_are_read_in_order_of_their_ex_dates(tmp_path: Path) -> None:
    text = (
        HEADER
        + "AAPL,2014-06-09,split,7:1,,\n"
        + "MSFT,2004-11-15,dividend,,3.08,2004-12-02\n"
        + " C , 2011-05-09 , split , 1:10 , , \n"
        + "SPY,2011-03-18,dividend,,0.5530,\n"
    )
    msft, spy, c, aapl = read(tmp_path, text)
    split, dividend = CorporateActionKind.SPLIT, CorporateActionKind.DIVIDEND
    assert aapl == CorporateActionAnnounced(
        "AAPL-2014-06-09-split", Symbol("AAPL"), date(2014, 6, 9), split, 7, 1
    )
    assert (c.symbol, c.new_shares, c.old_shares) == ("C", 1, 10)
    assert (msft.kind, msft.pay_date) == (dividend, date(2004, 12, 2))
    assert (msft.cash_per_share, spy.cash_per_share) == (Decimal("3.08"), Decimal("0.5530"))
    # Nobody knows yet when SPY pays: it stays a receivable until then.
    assert (spy.action_id, spy.pay_date) == ("SPY-2011-03-18-dividend", None)


def test_a_split_and_a_dividend_of_one_day_are_two_actions(tmp_path: Path) -> None:
    rows = "A,2024-01-03,split,2:1,,\nA,2024-01-03,dividend,,1,2024-01-03\n"
    assert [each.kind.value for each in read(tmp_path, HEADER + rows)] == ["dividend", "split"]


def test_a_file_without_actions_is_sound(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a,2024-01-03,split,2:1,,", "'a' is not a symbol"),
        (",2024-01-03,split,2:1,,", "'' is not a symbol"),
        ("A,03.01.2024,split,2:1,,", "Invalid isoformat string: '03.01.2024'"),
        ("A,2024-02-30,split,2:1,,", "day is out of range for month"),
        ("A,,split,2:1,,", "Invalid isoformat string: ''"),
        ("A,2024-01-03,merger,2:1,,", "'merger' is neither split nor dividend"),
        ("A,2024-01-03,,2:1,,", "'' is neither split nor dividend"),
        ("A,2024-01-03,split,0:1,,", "the ratio '0:1' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,1:0,,", "the ratio '1:0' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,0,,", "the ratio '0' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,-2:1,,", "the ratio '-2:1' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,2:1:1,,", "the ratio '2:1:1' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,1000000:1,,", "the ratio '1000000:1' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,,,", "the ratio '' is not new:old, such as 7:1"),
        ("A,2024-01-03,split,6.999997,,", "the ratio '6.999997' is not new:old; did you mean 7:1?"),
        ("A,2024-01-03,split,0.05,,", "the ratio '0.05' is not new:old; did you mean 1:20?"),
        ("A,2024-01-03,split,1.5,,", "the ratio '1.5' is not new:old; did you mean 3:2?"),
        ("A,2024-01-03,split,3:3,,", "the ratio 3:3 changes nothing"),
        ("A,2024-01-03,split,1001:1,,", "the ratio 1001:1 is not between 1:1000 and 1000:1"),
        ("A,2024-01-03,split,1:1001,,", "the ratio 1:1001 is not between 1:1000 and 1000:1"),
        ("A,2024-01-03,split,999999:999,,", "the ratio 999999:999 is not between 1:1000 and"),
        ("A,2024-01-03,split,2:1,5,", "a split has neither cash_per_share_usd nor pay_date"),
        ("A,2024-01-03,split,2:1,,2024-02-01", "a split has neither cash_per_share_usd nor pay"),
        ("A,2024-01-03,dividend,2:1,1,", "a dividend has no ratio"),
        ("A,2024-01-03,dividend,,,", "the dividend '' is not an amount above 0"),
        ("A,2024-01-03,dividend,,0,", "the dividend '0' is not an amount above 0"),
        ("A,2024-01-03,dividend,,-1,", "the dividend '-1' is not an amount above 0"),
        ("A,2024-01-03,dividend,,NaN,", "the dividend 'NaN' is not an amount above 0"),
        ("A,2024-01-03,dividend,,inf,", "the dividend 'inf' is not an amount above 0"),
        ("A,2024-01-03,dividend,,1e3,", "the dividend '1e3' is not an amount above 0"),
        ("A,2024-01-03,dividend,,0_5,", "the dividend '0_5' is not an amount above 0"),
        ("A,2024-01-03,dividend,,1000000000,", "the dividend '1000000000' is not an amount"),
        ("A,2024-01-03,dividend,,$1,", "the dividend '$1' is not an amount above 0"),
        ("A,2024-01-03,dividend,,1,soon", "Invalid isoformat string: 'soon'"),
        ("A,2024-01-03,dividend,,1,2024-01-02", "the pay date 2024-01-02 is before the ex date"),
        ("A,2024-01-03,split,2:1", "4 columns, not 6"),
        ("A,2024-01-03,split,2:1,,,", "7 columns, not 6"),
        ("", "0 columns, not 6"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, what: str) -> None:
    (told,) = refused(tmp_path, f"{HEADER}B,2024-01-03,split,2:1,,\n{row}\n")
    assert told.startswith(f"3: {what}")


def test_all_bad_rows_are_listed_at_once(tmp_path: Path) -> None:
    text = (
        HEADER
        + "A,2024-01-03,split,0,,\n"
        + "A,2024-01-03,split,2:1,,\n"
        + "A,2024-01-03,dividend,,x,\n"
        + "A,2024-01-03,split,3:1,,\n"
    )
    assert refused(tmp_path, text) == [
        "2: the ratio '0' is not new:old, such as 7:1",
        "4: the dividend 'x' is not an amount above 0",
        "5: A-2024-01-03-split is there twice",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "1: the header must be symbol,ex_date,kind,ratio,cash_per_share_usd,pay_date"),
        ("symbol,date\n", "1: the header must be symbol,ex_date,kind"),
        (f"\ufeff{HEADER}", "1: the header must be symbol,ex_date,kind"),
        (b"\xff\xfe\x00", " cannot be read: 'utf-8' codec can't decode"),
        (f'{HEADER}A,"2024', " cannot be read: unexpected end of data"),
        ("7" * 200_000, " cannot be read: field larger than field limit"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, text: str | bytes, what: str) -> None:
    (told,) = refused(tmp_path, text)
    assert told.startswith(what)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCorporateActions, match=r"missing\.csv: cannot be read: .* No such file"):
        read_corporate_actions(tmp_path / "missing.csv")


def test_the_largest_ratio_and_amount_fit_into_the_journal(tmp_path: Path) -> None:
    rows = (
        "A,2024-01-03,split,999999:1000,,\n"
        "B,2024-01-03,split,1000:999999,,\n"
        "C,2024-01-03,dividend,,999999999.0000000001,9999-12-31\n"
    )
    for action in read(tmp_path, HEADER + rows):
        assert decode(encode(action)) == action


# In a run.


def run(folder: Path, actions: str) -> subprocess.CompletedProcess[str]:
    (folder / "A.csv").write_text(
        "date,open,high,low,close,volume\n2024-01-02,1,1,1,1,5\n2024-01-03,1,1,1,1,5\n"
    )
    (folder / "actions.csv").write_text(HEADER + actions)
    (folder / "traded.toml").write_text(
        "[symbols.A]\n[feed]\npaths = ['A.csv']\n[journal]\npath = 'j.db'\n"
        "[corporate_actions]\npath = 'actions.csv'\n"
    )
    return traded("run", "--config", "traded.toml", cwd=folder)


def recorded(folder: Path) -> list[str]:
    """Return what the journal has of corporate actions, and how it began."""
    with JournalReader(folder / "j.db") as reader:
        return [
            f"{record.event.__struct_config__.tag} {getattr(record.event, 'action_id', '')}"
            for record in reader.records()
            if "corporate" in str(record.event.__struct_config__.tag) or record.seq == 1
        ]


def test_a_run_with_a_bad_row_ends_before_anything_is_recorded(tmp_path: Path) -> None:
    done = run(tmp_path, "A,2024-01-03,split,0,,\n")
    assert done.returncode == ExitCode.BAD_CONFIG
    assert "actions.csv:2: the ratio '0' is not new:old" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "j.db").exists()


def test_a_run_announces_what_is_to_come_for_its_own_symbols(tmp_path: Path) -> None:
    # 2024-01-02 has begun when the first bar does; UNKNOWN is not configured.
    rows = (
        "A,2024-01-02,split,2:1,,\n"
        "A,2024-01-03,split,3:1,,\n"
        "A,2025-01-03,split,4:1,,\n"
        "UNKNOWN,2024-01-03,split,2:1,,\n"
    )
    done = run(tmp_path, rows)
    assert done.returncode == ExitCode.OK, done.stderr
    assert recorded(tmp_path) == [
        "journal.opened ",
        "corporate-action.announced A-2024-01-03-split",
        "corporate-action.announced A-2025-01-03-split",
        "corporate-action.applied A-2024-01-03-split",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "",
            "A,2024-01-03,split,3:1,,\n",
            (
                "A-2024-01-03-split is news and its ex date is over: nothing was restated; "
                "compare what is held of A with the broker"
            ),
        ),
        (
            "A,2025-01-03,split,4:1,,\n",
            "A,2025-01-03,split,5:1,,\n",
            "A-2025-01-03-split was announced with other terms; the journal's stand",
        ),
    ],
)
def test_what_comes_too_late_for_the_books_is_said_at_the_start(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert "note:" not in run(tmp_path, before).stderr
    done = run(tmp_path, after)
    assert done.returncode == ExitCode.OK, done.stderr
    assert f"note: {said}\n" in done.stderr


def test_what_was_over_before_the_journal_began_concerns_nobody(tmp_path: Path) -> None:
    run(tmp_path, "")
    assert "note:" not in run(tmp_path, "A,2020-01-03,split,3:1,,\n").stderr
