"""Reads the configuration: defaults, the TOML file, the environment, the command line, in layers.

Nothing is guessed: a key nobody knows, a number out of bounds or a file that is not what it should
be refuses the whole configuration, with every mistake listed.
"""

import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from daemon.config.bounds import Problems, convert
from daemon.config.options import OUTSIDE, PAPER, BackupConfig, Config, Exchange
from daemon.config.places import journal_path
from daemon.secrets.names import PASSPHRASE_FILE, SECRETS, SECRETS_FILE
from events import BY_HAND, ConfigLoaded, FreshnessTerms, Symbol, SymbolTerms

ENVIRONMENT_PREFIX = "TRADED_"
ENVIRONMENT_ELSEWHERE = frozenset(
    {
        "TRADED_CONFIG",
        "TRADED_LOG",
        SECRETS_FILE,
        PASSPHRASE_FILE,
        *(name.upper() for name in SECRETS),
    }
)
"""Variables with our prefix that are no options of the file."""
SIZE_MAX_BYTES = 1_000_000
DEPTH_MAX = 20
"""Tables and lists in each other; no option needs a quarter of it."""

_SECRET_NAME = re.compile(
    r"account|pass(word|wd|phrase)|secret|token|api_?key|credential|auth", re.IGNORECASE
)
_ACCOUNT = re.compile(r"[A-Z]{1,2}[0-9]{6,9}")
"""How Interactive Brokers numbers accounts: U1234567, DU1234567."""
_FLAGS = (bool, bool | None)
_YES_OR_NO = {"1": "true", "0": "false"}
"""How a variable of the environment may say yes and no besides."""
_SEPARATORS = re.compile(r"[ ./-]")
_CLASS_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class ConfigError(Exception):
    """The configuration is refused; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep the problems, one line each."""
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Layered(msgspec.Struct, frozen=True):
    """A configuration, and for each option set somewhere which layer set it last."""

    config: Config
    sources: dict[str, str]


class Recorded(msgspec.Struct, frozen=True):
    """A configuration out of a journal; `unread` are the options that have no meaning here."""

    config: Config
    unread: tuple[str, ...]


def load(path: Path, environment: Mapping[str, str], overrides: Sequence[str] = ()) -> Config:
    """Return the configuration at `path` under `environment` and `overrides` (`key.path=value`).

    Raises:
        ConfigError: anything is wrong with any of them.
    """
    return load_layered(path, environment, overrides).config


def load_layered(
    path: Path, environment: Mapping[str, str], overrides: Sequence[str] = ()
) -> Layered:
    """Return what `load` returns, with the source of each option that was set."""
    layered, problems = _layered(path, environment, overrides)
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return layered


def named_journal(path: Path, environment: Mapping[str, str]) -> tuple[Path, list[str]]:
    """Return where the journal of a configuration lies, and what is wrong with the rest of it.

    Who has to stop a daemon does not wait until its file is in order.

    Raises:
        ConfigError: it cannot be read, or what names the journal is wrong.
    """
    layered, problems = _layered(path, environment, ())
    naming = [each for each in problems if each.startswith(("journal", "account: ", "mode: "))]
    if naming:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return journal_path(layered.config, path, environment), problems


def backup_of(path: Path, environment: Mapping[str, str]) -> BackupConfig:
    """Return how the journal of a configuration is backed up, whatever is wrong with the rest.

    Raises:
        ConfigError: it cannot be read, or what it says of backups is wrong.
    """
    layered, problems = _layered(path, environment, ())
    if any(each.startswith("backup") for each in problems):
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return layered.config.backup


def _layered(
    path: Path, environment: Mapping[str, str], overrides: Sequence[str]
) -> tuple[Layered, list[str]]:
    """Return what `load_layered` returns, as far as it can be had, and what is wrong with it."""
    problems = Problems()
    tree = _read(path)
    sources = dict.fromkeys(_leaf_paths(tree, ""), str(path))
    for where, keys, text in _settings(environment, overrides, problems):
        if _set(tree, keys, text, where, problems):
            dotted = ".".join(keys)
            for below in [each for each in sources if each.startswith(f"{dotted}.")]:
                del sources[below]
            sources[dotted] = "--set" if where.startswith("--set") else where
    config = convert(tree, Config, "", problems)
    assert isinstance(config, Config), "no option is required"
    _check_together(config, problems)
    return Layered(config, sources), [_with_source(problem, sources) for problem in problems]


def _with_source(problem: str, sources: Mapping[str, str]) -> str:
    """Return `problem` with the name of the variable that is wrong, where the file is not."""
    source = sources.get(problem.partition(": ")[0], "")
    return f"{problem} (set by {source})" if source.startswith(ENVIRONMENT_PREFIX) else problem


def as_tables(config: Config) -> dict[str, object]:
    """Return `config` as it is in effect, table by table, defaults included."""
    effective = msgspec.structs.replace(config, dry_run=config.is_dry_run)
    tables: dict[str, object] = msgspec.json.decode(msgspec.json.encode(effective))
    return tables


def to_event(config: Config) -> ConfigLoaded:
    """Return `config` as it goes into the journal: whole, defaults included.

    Left out is how it is watched: nothing that is decided depends on that.
    """
    tables = as_tables(config)
    del tables["watch"]
    sessions = config.sessions
    terms = {
        name: SymbolTerms(
            exchange=table.exchange.value,
            enforce_hours=sessions.enforce_trading_hours,
            extended_hours=sessions.allow_extended_hours,
            fractions=table.exchange is Exchange.ALWAYS
            if table.fractions is None
            else table.fractions,
            bar_every_s=table.bar_every_s,
        )
        for name, table in config.symbols.items()
    }
    freshness = FreshnessTerms(**msgspec.structs.asdict(config.freshness))
    return ConfigLoaded(tables, terms, freshness, config.limits.prices.outlier_threshold)


def from_event(event: ConfigLoaded) -> Recorded:
    """Return the configuration a journal recorded, whichever version of this program wrote it.

    An option unknown here, or of a value not taken here, counts as not set: it refuses nothing.
    """
    problems = Problems(text_numbers=True)
    config = convert(event.config, Config, "", problems)
    assert isinstance(config, Config), "no option is required"
    return Recorded(config, tuple(problem.partition(":")[0] for problem in problems))


def _read(path: Path) -> dict[str, Any]:
    """Return the file's tables; floats stay exact.

    Raises:
        ConfigError: it is not a readable TOML file of a sensible size that only its owner changes.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError([f"{path}: is not a file"])
        if found.st_mode & stat.S_IWOTH:
            raise ConfigError([f"{path}: anybody may write it; run `chmod o-w {path}`"])
        if found.st_size > SIZE_MAX_BYTES:
            raise ConfigError([f"{path}: is larger than {SIZE_MAX_BYTES} bytes"])
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 at byte {error.start}"]) from error
    if text.startswith("\ufeff"):
        raise ConfigError([f"{path}: starts with a byte order mark; save it without one"])
    try:
        return _parsed(text)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _parsed(text: str) -> dict[str, Any]:
    """Return the tables of TOML text, its floats exact.

    Raises:
        ValueError: it is not TOML, or nothing a configuration could hold.
    """
    try:
        tree = tomllib.loads(text, parse_float=Decimal)
    except ArithmeticError as error:
        raise ValueError("a number in it is of no sensible size") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if _is_too_deep(tree, DEPTH_MAX):
        raise ValueError("is nested too deeply")
    return tree


def _is_too_deep(value: object, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(inner, Iterable) or isinstance(inner, str):
        return False
    return not levels or any(_is_too_deep(each, levels - 1) for each in inner)


def _settings(
    environment: Mapping[str, str], overrides: Sequence[str], problems: Problems
) -> Iterator[tuple[str, list[str], str]]:
    """Yield what is set outside the file: where, the option's path, the value as it is written."""
    for name, text in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in ENVIRONMENT_ELSEWHERE:
            keys, kind = _spelled(name.removeprefix(ENVIRONMENT_PREFIX).split("__"), Config)
            yield name, keys, _YES_OR_NO.get(text, text) if kind in _FLAGS else text
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if equals:
            yield f"--set {dotted.strip()}", _keys(dotted.strip()), text
        else:
            problems.add(f"--set {override}", "must be key=value")


def _keys(dotted: str) -> list[str]:
    """Return the keys of an option's path; one with a dot or a blank in it may be quoted."""
    try:
        table: Any = _parsed(f"{dotted} = 0")
    except ValueError:
        return dotted.split(".")
    keys = []
    while isinstance(table, dict):
        key, table = next(iter(table.items()))
        keys.append(key)
    return keys


def _set(
    tree: dict[str, Any], keys: Sequence[str], text: str, where: str, problems: Problems
) -> bool:
    """Put `text` at `keys`, read as the TOML value it looks like, else as a string; say if done."""
    if not f"{where}{text}".isprintable():
        problems.add(ascii(where), "has characters that cannot be shown")
        return False
    if len(keys) > DEPTH_MAX:
        problems.add(keys[0], f"there is no option of {len(keys)} levels")
        return False
    table: Any = tree
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            problems.add(where, f"{key} is a value, not a table")
            return False
    try:
        table[keys[-1]] = _parsed(f"value = {text}")["value"]
    except ValueError:
        table[keys[-1]] = text
    return True


def _spelled(keys: Sequence[str], kind: type[msgspec.Struct]) -> tuple[list[str], object]:
    """Return environment keys in the spelling of the options, and the type of that option.

    Options are lower case. In a table keyed by the operator (symbols, strategies, params) the key
    is taken as it is written.
    """
    spelled = []
    inner: Any = kind
    for key in keys:
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            types = {field.encode_name: field.type for field in msgspec.structs.fields(inner)}
            spelled.append(key.lower())
            inner = types.get(key.lower())
        else:
            spelled.append(key)
            inner = get_args(inner)[1] if get_origin(inner) is dict else None
    return spelled, inner


def _leaf_paths(tree: Mapping[str, Any], prefix: str) -> list[str]:
    paths = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            paths += _leaf_paths(value, f"{prefix}{name}.")
        else:
            paths.append(f"{prefix}{name}")
    return paths


def _check_together(config: Config, problems: Problems) -> None:
    """Look at options that only make sense together."""
    _check_symbols(config, problems)
    _check_strategies(config, problems)
    _check_limits(config, problems)
    for key, kind, built_in in (
        ("broker.kind", config.broker.kind, PAPER),
        ("feed.kind", config.feed.kind, "file"),
    ):
        if kind not in {built_in, "ibkr"} and not _CLASS_PATH.fullmatch(kind):
            problems.add(key, f"{kind!r} is neither {built_in!r}, 'ibkr' nor module:Class")
    _check_gateway(config, problems)
    if config.mode in OUTSIDE and config.broker.kind == PAPER:
        what = "is of orders that leave the process; the built-in paper broker's is 'paper'"
        problems.add("mode", f"{config.mode.value!r} {what}")
    _check_secrets(config, problems)
    alerts = config.watch.alerts
    if (alerts.quiet_from is None) != (alerts.quiet_until is None):
        problems.add("watch.alerts", "quiet_from and quiet_until: give both, or neither")
    if config.backup.after and not any("{file}" in each for each in config.backup.after[1:]):
        problems.add("backup.after", "names no {file} behind its command: what would it take away?")
    if config.journal.disk_warn_mb < config.journal.disk_halt_mb:
        problems.add("journal.disk_warn_mb", "is below disk_halt_mb: nobody would be warned")
    if config.feed.kind == "file" and not config.feed.paths:
        problems.add("feed.paths", "is empty: name the files or folders with the bars")
    if config.feed.kind == "file" and config.feed.params:
        problems.add("feed.params", "is for a feed of your own: the file feed has none")
    if not config.symbols:
        problems.add("symbols", "is empty: name at least one, such as [symbols.AAPL]")


def _check_gateway(config: Config, problems: Problems) -> None:
    for option in ("gateway.restart_zone", "gateway.login_zone", "watch.alerts.zone"):
        name = attrgetter(option)(config)
        try:
            ZoneInfo(name)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            problems.add(option, f"{name!r} is no time zone, such as America/New_York")
    for table, kind, params in (
        ("broker", config.broker.kind, config.broker.params),
        ("feed", config.feed.kind, config.feed.params),
    ):
        if kind == "ibkr" and params:
            problems.add(f"{table}.params", "is for classes of your own: use [gateway]")
    if "ibkr" in {config.broker.kind, config.feed.kind}:
        for symbol, terms in config.symbols.items():
            if terms.exchange is Exchange.ALWAYS:
                problems.add(f"symbols.{symbol}", "trades 24/7: the gateway is for US stocks here")


def _check_secrets(config: Config, problems: Problems) -> None:
    """Refuse what must be neither in a file nor in the journal, which keeps this one whole."""
    strategies = {f"strategies.{name}": table.params for name, table in config.strategies.items()}
    for where, params in {
        "broker": config.broker.params,
        "feed": config.feed.params,
        **strategies,
    }.items():
        for name, value in params.items():
            if _SECRET_NAME.search(name) or (isinstance(value, str) and _ACCOUNT.fullmatch(value)):
                what = "is a secret, and the journal keeps this file whole"
                problems.add(f"{where}.params.{name}", f"{what}: read it from the environment")


def _check_symbols(config: Config, problems: Problems) -> None:
    """Refuse two names of one share: each would have limits and a position of its own."""
    spelled: dict[str, Symbol] = {}
    for symbol in config.symbols:
        other = spelled.setdefault(_SEPARATORS.sub(".", symbol), symbol)
        if other != symbol:
            problems.add(f"symbols.{symbol}", f"is {other} written otherwise: keep one of them")


def _check_strategies(config: Config, problems: Problems) -> None:
    for name, table in config.strategies.items():
        where = f"strategies.{name}"
        if name == BY_HAND:
            problems.add(where, "is the name for orders by hand: take another")
        if not _CLASS_PATH.fullmatch(table.strategy_class):
            problems.add(f"{where}.class", f"{table.strategy_class!r} is not module:Class")
        for symbol in table.symbols:
            if symbol not in config.symbols:
                problems.add(f"{where}.symbols", f"{symbol} is not under [symbols]")


def _check_limits(config: Config, problems: Problems) -> None:
    account = config.limits.account
    lists = (("allow_symbols", account.allow_symbols), ("deny_symbols", account.deny_symbols))
    for name, symbols in lists:
        for symbol in symbols:
            if symbol not in config.symbols:
                problems.add(f"limits.account.{name}", f"{symbol} is not under [symbols]")
    for symbol in config.limits.symbols:
        if symbol not in config.symbols:
            problems.add(f"limits.symbols.{symbol}", "is not under [symbols]")
    for name in config.limits.strategies:
        if name not in config.strategies:
            problems.add(f"limits.strategies.{name}", "is not under [strategies]")
