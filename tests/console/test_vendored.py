"""What others wrote and the console serves is what their packages have, with their licences."""

import hashlib
import tomllib
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "ops" / "watch" / "console" / "vendor"


def packages() -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
    return found


def listed() -> dict[str, str]:
    hashes: dict[str, str] = {}
    for package in packages():
        files = package["files"]
        assert isinstance(files, dict)
        hashes |= files
    return hashes


def test_every_vendored_file_is_listed_and_has_its_hash() -> None:
    there = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDOR.toml"
    }
    assert there == listed()


def test_every_package_says_version_licence_and_source_and_brings_its_licence() -> None:
    for package in packages():
        assert {"name", "version", "licence", "source", "archive", "archive_sha256"} <= {*package}
        assert f"{package['name']}/LICENSE" in listed()


def test_the_page_credits_lightweight_charts_as_its_licence_asks() -> None:
    page = (VENDOR.parent / "index.html").read_text()
    assert "TradingView Lightweight Charts" in page
    assert 'href="https://www.tradingview.com/"' in page
