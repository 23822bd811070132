"""Where the configuration lies, and where the journal that it names."""

from collections.abc import Mapping
from pathlib import Path

from daemon.config.options import Config

SYSTEM_CONFIG = Path("/etc/traded/traded.toml")
SYSTEM_STATE = Path("/var/lib/traded")


def find_config(explicit: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """Return the configuration file to use, None where there is none.

    An explicit file and `$TRADED_CONFIG` are returned even when they do not exist: asking for a
    file that is not there is a mistake, not a reason to use another.
    """
    if explicit is not None:
        return folder / explicit
    if environment.get("TRADED_CONFIG"):
        return folder / environment["TRADED_CONFIG"]
    home = Path(environment.get("HOME", "/"))
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    candidates = (folder / "traded.toml", user / "traded" / "traded.toml", SYSTEM_CONFIG)
    return next((each for each in candidates if each.is_file()), None)


def journal_path(config: Config, config_path: Path, environment: Mapping[str, str]) -> Path:
    """Return where the journal lies: as configured, else in the state folder under its account.

    The service's folder is found from its configuration too, so that commands typed in a shell
    mean its journal: /etc/traded/traded.toml has /var/lib/traded, NAME.toml has NAME below that.
    """
    if config.journal.path:
        return config_path.parent / config.journal.path
    name = f"{config.account}-{config.mode}.db"
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0]) / name
    if config_path.parent == SYSTEM_CONFIG.parent:
        own = config_path != SYSTEM_CONFIG
        return (SYSTEM_STATE / config_path.stem if own else SYSTEM_STATE) / name
    home = Path(environment.get("HOME", "/"))
    state = Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state")
    return state / "traded" / name
