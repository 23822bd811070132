"""The units as files: systemd takes them, little is left open, and they fit what they start."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from daemon.exit_codes import ExitCode
from ops.cli import traded
from ops.commands.run import command as run_command

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("traded*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
TIMERS = [unit for unit in UNITS if unit.suffix == ".timer"]
EXPOSURE_MAX = 15
"""In tenths, as `--threshold` has it: 1.5 of 10."""
NOT_BUILT_HERE = {"report"}
"""Verbs that a timer starts and that another part of this version brings."""


def read(unit: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the settings of each section, in order; a setting may stand there again and again."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, []).append((key, value))
    return found


def settings(unit: Path, key: str) -> list[str]:
    """Return every value of `key` under [Service]."""
    return [value for name, value in read(unit)["Service"] if name == key]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder of the units in which what they start is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: whether systemd takes the units is untried")
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/usr/local/bin/traded", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


def test_systemd_takes_every_unit_without_a_word(installed: Path) -> None:
    words = ["systemd-analyze", "verify", *(str(unit) for unit in sorted(installed.iterdir()))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_little_is_open_to_a_service(unit: Path, installed: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}"]
    done = subprocess.run(
        [*words, str(installed / unit.name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_sandbox_is_the_same_in_every_service() -> None:
    # What differs is the network, and is compared below.
    boxes = {
        unit.name: [
            line
            for line in unit.read_text(encoding="utf-8").partition("# The sandbox.")[2].splitlines()
            if line.partition("=")[0] not in {"RestrictAddressFamilies", "WantedBy"}
            and not line.startswith(("#", "[", "IPAddress"))
            and line
        ]
        for unit in SERVICES
    }
    assert len(boxes["traded.service"]) > 25
    assert {name for name, box in boxes.items() if box != boxes["traded.service"]} == set()


def test_the_daemon_reaches_this_host_alone_and_jobs_reach_nobody() -> None:
    allowed = {
        unit.name: (settings(unit, "IPAddressDeny"), settings(unit, "IPAddressAllow"))
        for unit in SERVICES
    }
    # Alerts go anywhere, and a chat is heard from anywhere.
    anywhere = {name for name, found in allowed.items() if found == ([], [])}
    assert anywhere == {
        "traded-alert@.service",
        "traded-chat.service",
        "traded-chat@.service",
        "traded-watch.service",
        "traded-watch@.service",
    }
    daemons = {name for name, found in allowed.items() if found == (["any"], ["localhost"])}
    assert daemons == {"traded.service", "traded@.service"}


@pytest.mark.parametrize("pair", ["traded", "traded-watch", "traded-chat"])
def test_a_template_is_its_plain_unit_for_one_of_several_accounts(pair: str) -> None:
    plain, template = (read(ROOT / "systemd" / f"{pair}{at}.service") for at in ("", "@"))
    for section in ("Unit", "Service", "Install"):
        ours = [
            (key, value.replace("/etc/traded/%i.", "/etc/traded/traded.").replace("/%i", ""))
            for key, value in template[section]
            if key != "Description"
        ]
        assert ours == [each for each in plain[section] if each[0] != "Description"]


def test_no_start_is_tried_again_that_cannot_become_better() -> None:
    hopeless = {
        ExitCode.USAGE,
        ExitCode.JOURNAL_DAMAGED,
        ExitCode.OVERRAN,
        ExitCode.ALREADY_RUNNING,
        ExitCode.BAD_CONFIG,
    }
    for name in ("traded.service", "traded@.service"):
        (codes,) = settings(ROOT / "systemd" / name, "RestartPreventExitStatus")
        assert {int(code) for code in codes.split()} == hopeless


def test_a_disk_that_failed_is_tried_so_slowly_that_it_is_no_crash_loop() -> None:
    for name in ("traded.service", "traded@.service"):
        unit = ROOT / "systemd" / name
        limits = dict(read(unit)["Unit"])
        wait = next(text for text in settings(unit, "ExecStopPost") if "sleep" in text)
        assert f'"$$EXIT_STATUS" != {ExitCode.JOURNAL_WRITE_FAILED}' in wait
        found = re.search(r"sleep (\d+)", wait)
        assert found is not None
        slowest_s = int(limits["StartLimitIntervalSec"]) / int(limits["StartLimitBurst"])
        (stop_s,) = settings(unit, "TimeoutStopSec")
        assert slowest_s < int(found[1]) < int(stop_s)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_every_command_of_a_unit_is_one_of_ours(unit: Path) -> None:
    context = click.Context(traded)
    lines = [*settings(unit, "ExecStart"), *settings(unit, "ExecReload")]
    for line in lines:
        if not line.removeprefix("-").startswith("/bin/sh "):
            path, verb, *rest = line.split()
            assert path == "/usr/local/bin/traded"
            assert traded.get_command(context, verb) or verb in NOT_BUILT_HERE, line
            if verb == "run":
                assert rest == ["$RUN_OPTIONS"]
    assert "--max-runtime" in [name for each in run_command.params for name in each.opts]


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)
def test_a_timer_has_its_service_and_a_time(timer: Path) -> None:
    assert timer.with_suffix(".service") in SERVICES
    parser = ConfigParser(strict=False)
    parser.read(timer, encoding="utf-8")
    when = parser["Timer"]["OnCalendar"]
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: whether it is a time is untried")
    subprocess.run(["systemd-analyze", "calendar", when], check=True, capture_output=True)


def test_what_is_laid_out_names_the_prefix_and_no_folder_it_was_laid_out_in(
    tmp_path: Path,
) -> None:
    words = ["make", "-s", "install-files", f"DESTDIR={tmp_path}", "PREFIX=/opt/traded"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    units = tmp_path / "etc/systemd/system"
    assert {unit.name for unit in UNITS} <= {unit.name for unit in units.iterdir()}
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in files if str(tmp_path) in file.read_text(encoding="utf-8")] == []
    assert "ExecStart=/opt/traded/bin/traded run" in (units / "traded.service").read_text()
    assert (tmp_path / "etc/sysusers.d/traded.conf").exists()
    assert (tmp_path / "etc/tmpfiles.d/traded.conf").exists()


def test_a_configuration_is_never_overwritten_nor_removed(tmp_path: Path) -> None:
    config = tmp_path / "etc/traded/traded.toml"
    config.parent.mkdir(parents=True)
    config.write_text("mine")
    journal = tmp_path / "var/lib/traded/j.db"
    journal.parent.mkdir(parents=True)
    journal.write_text("mine, too")
    for target in ("install-files", "install-files", "uninstall"):
        words = ["make", "-s", target, f"DESTDIR={tmp_path}", "PREFIX=/opt/traded"]
        subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
        assert (config.read_text(), journal.read_text()) == ("mine", "mine, too")
    left = {file.name for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"traded.toml", "j.db"}


def test_a_first_installation_has_the_sample_as_its_configuration(tmp_path: Path) -> None:
    words = ["make", "-s", "install-files", f"DESTDIR={tmp_path}"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    config = tmp_path / "etc/traded/traded.toml"
    assert config.read_bytes() == (ROOT / "ops/sample-config.toml").read_bytes()
    assert config.stat().st_mode & 0o777 == 0o640
