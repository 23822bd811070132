"""The shape of the code as tests: who may import whom, what stays pure, how big a thing may grow.

Each rule holds for the files there are; a folder that is still empty keeps every rule.
"""

import ast
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
OURS = ("events", "projections", "daemon", "ops")
PYPROJECT = (ROOT / "pyproject.toml").read_text()
SETTINGS = tomllib.loads(PYPROJECT)
RUNTIME_LOCK = (ROOT / "requirements.lock").read_text()
DEV_LOCK = (ROOT / "requirements-dev.lock").read_text()

# The house norm is 150 lines a file and 50 a function; these are the walls behind it.
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70

# Every decision is made here, so the same inputs must give the same answer on any day.
PURE = ("projections", "daemon.core", "daemon.gate", "daemon.strategies")
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["tool"]["importlinter"]["contracts"]}
IMPURE_MODULES = frozenset(CONTRACTS["pure-folds"]["forbidden_modules"])
# `hash` and `id` are here because they differ from one process to the next.
IMPURE_BUILTINS = frozenset({"open", "input", "print", "hash", "id", "exec", "eval", "__import__"})
IMPURE_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes"})
CLOCKS = re.compile(
    r"time\..+|(datetime\.datetime|datetime\.date|pandas\.Timestamp)\.(now|utcnow|today)"
)
LOOP_CLOCK = re.compile(r"(.*\W)?\w*loop(\(\))?\.time")

VAGUE_WORDS = frozenset({"util", "utils", "helper", "helpers", "manager", "managers"})


def code_files() -> dict[str, Path]:
    """Return every file of our packages by its module's name."""
    paths = [path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def pure_files() -> dict[str, Path]:
    return {
        name: path
        for name, path in code_files().items()
        if any(name == pure or name.startswith(f"{pure}.") for pure in PURE)
    }


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def place(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} {what}"


def imports(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield each absolute import as its line, the name it binds and the full name behind it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield node.lineno, alias.asname or first, alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, alias.asname or alias.name, f"{node.module}.{alias.name}"


def imported_packages(path: Path) -> set[str]:
    return {full.partition(".")[0] for _, _, full in imports(parse(path))}


def clock_reads(path: Path) -> Iterator[str]:
    """Yield where the file names a clock; a name is enough, for it may be called elsewhere."""
    tree = parse(path)
    origins = {bound: full for _, bound, full in imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            written = ast.unparse(node)
            head, dot, rest = written.partition(".")
            full = f"{origins[head]}{dot}{rest}" if head in origins else ""
            if CLOCKS.fullmatch(full) or LOOP_CLOCK.fullmatch(written):
                yield place(path, node.lineno, written)


def impurities(path: Path) -> Iterator[str]:
    """Yield what in the file reaches for the clock, chance, a file, the network or the loop."""
    yield from clock_reads(path)
    tree = parse(path)
    for line, _, full in imports(tree):
        if full.partition(".")[0] in IMPURE_MODULES:
            yield place(path, line, f"import {full}")
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS:
                yield place(path, node.lineno, f"{name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                yield place(path, node.lineno, f"{name}()")
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield place(path, node.lineno, "async")


def comments() -> Iterator[tuple[Path, int, str]]:
    """Yield every comment of our code and its tests; strings that look like one do not count."""
    for path in [*code_files().values(), *sorted((ROOT / "tests").rglob("*.py"))]:
        with path.open("rb") as source:
            for token in tokenize.tokenize(source.readline):
                if token.type == tokenize.COMMENT:
                    yield path, token.start[0], token.string


def pins(lock: str) -> set[str]:
    """Return each `name==version ; marker` of a lock, without its hashes."""
    return {line.removesuffix("\\").strip() for line in lock.splitlines() if line[:1].strip()}


def normal(requirement: str) -> str:
    """Return the name at the start of `requirement` in the one spelling locks use."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def assert_kept(contract: str) -> None:
    """Run one contract in a process of its own, for import-linter rewires logging where it runs."""
    assert contract in CONTRACTS
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    command += ["--config", "pyproject.toml", "--contract", contract]
    verdict = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


# Imports.


def test_data_flows_one_way() -> None:
    assert_kept("one-way")


def test_only_the_journal_knows_sqlite() -> None:
    assert_kept("sqlite")
    sqlite = {"sqlite3", "aiosqlite"}
    knowing = {name for name, path in code_files().items() if imported_packages(path) & sqlite}
    # The benchmark's raw baseline is run by its path, in a process of its own; nobody imports it.
    journal = {"events.journal", "events.journal_connection", "events.journal_file"}
    assert knowing <= journal | {"ops.bench.peer_raw_sqlite"}


def test_only_the_ibkr_adapter_knows_ib_async() -> None:
    assert_kept("ib-async")


def test_only_the_calendar_knows_exchange_calendars() -> None:
    assert_kept("calendars")


def test_only_the_clock_imports_time() -> None:
    assert_kept("clock")


def test_projections_reach_no_clock_no_chance_no_file_even_indirectly() -> None:
    assert_kept("pure-folds")


def test_every_contract_is_proven_by_a_test_here() -> None:
    proven = set(re.findall(r'assert_kept\("([\w-]+)"\)', Path(__file__).read_text()))
    assert proven == set(CONTRACTS)


def test_every_folder_of_code_is_a_package() -> None:
    # import-linter does not see into a folder without __init__.py: no rule would hold there.
    folders = {path.parent for path in code_files().values()}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


# Purity.


def test_the_time_is_read_in_one_file() -> None:
    watched = {
        name: path
        for name, path in code_files().items()
        if not name.startswith("ops") and name != "daemon.clock"
    }
    assert [read for path in watched.values() for read in clock_reads(path)] == []


def test_decisions_use_no_clock_no_chance_no_file_and_never_wait() -> None:
    assert [found for path in pure_files().values() for found in impurities(path)] == []


# The terminal.


def test_one_file_of_ops_writes_to_the_terminal() -> None:
    # What is printed past it may hold a broker's escape codes. The benchmarks show none of those.
    printing = re.compile(r"(click\.)?(s?echo|echo_via_pager)|print|(rich\.)?(print|inspect)")
    streams = re.compile(r"sys\.(stdout|stderr)\.(write|writelines|buffer)|os\.write")
    found = [
        place(path, node.lineno, ast.unparse(node.func))
        for name, path in code_files().items()
        if name.startswith("ops") and not name.startswith("ops.bench") and name != "ops.render"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        and any(each.fullmatch(ast.unparse(node.func)) for each in (printing, streams))
    ]
    assert found == []


# Sizes and names.


def test_no_file_outgrows_the_ceiling() -> None:
    sizes = {name: len(path.read_text().splitlines()) for name, path in code_files().items()}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


def test_no_function_outgrows_the_ceiling() -> None:
    too_long = [
        place(path, node.lineno, f"{node.name}: {length} lines")
        for path in code_files().values()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_every_module_is_named_for_what_it_holds() -> None:
    words = {(name, word) for name in code_files() for word in re.split(r"[._]", name)}
    vague = {name for name, word in words if word in VAGUE_WORDS or word.startswith("handle")}
    assert vague == set()


def test_no_test_folder_shadows_a_package() -> None:
    folders = [path for path in (ROOT / "tests").rglob("*") if path.is_dir()]
    assert [str(folder) for folder in folders if folder.name in OURS] == []


def test_no_other_distribution_owns_our_package_names() -> None:
    # Our names are generic: in a shared environment pip would overwrite one package with another.
    names = (*OURS, "tests")
    owners = packages_distributions()
    assert {name: set(owners.get(name, [])) - {"traded"} for name in names} == {
        name: set() for name in names
    }


# Exceptions to the tools' rules.


def test_every_ruff_ignore_has_its_reason() -> None:
    lint = SETTINGS["tool"]["ruff"]["lint"]
    ignored = [*lint["ignore"], *(c for codes in lint["per-file-ignores"].values() for c in codes)]
    explained = re.findall(r'^ *"([A-Z]+[0-9]*)", # \S.{5,}$', PYPROJECT, flags=re.MULTILINE)
    assert sorted(explained) == sorted(ignored)


def test_every_noqa_names_its_rule_and_its_reason() -> None:
    reasoned = re.compile(r"#\s*(ruff:\s*)?noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s+\S.{5,}")
    bare = [
        place(path, line, text)
        for path, line, text in comments()
        if re.match(r"#\s*(ruff:\s*)?noqa", text, flags=re.IGNORECASE) and not reasoned.match(text)
    ]
    assert bare == []


def test_every_type_ignore_names_its_error() -> None:
    bare = [
        place(path, line, text)
        for path, line, text in comments()
        if re.search(r"type:\s*ignore(?!\[[\w, -]+\])", text)
    ]
    assert bare == []


# Locks.


def test_the_locks_name_no_host_and_no_index() -> None:
    # A host in a lock is a host every other machine must reach.
    hosts = re.compile(r".*(//|--index-url|--extra-index-url|--find-links).*")
    assert [found.group() for found in hosts.finditer(RUNTIME_LOCK + DEV_LOCK)] == []


def test_every_pin_is_exact_and_hashed() -> None:
    exact_and_hashed = re.compile(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", flags=re.DOTALL)
    for lock in (RUNTIME_LOCK, DEV_LOCK):
        requirements = re.split(r"\n(?=\S)", lock.strip())
        assert [each for each in requirements if not exact_and_hashed.match(each)] == []


def test_the_locks_hold_every_dependency_we_name() -> None:
    groups = SETTINGS["dependency-groups"]
    build = SETTINGS["build-system"]["requires"]
    shipped = {normal(name) for name in [*SETTINGS["project"]["dependencies"], *build]}
    used = {normal(name) for name in groups["dev"] if isinstance(name, str)}
    assert groups["build"] == build
    assert shipped - {normal(pin) for pin in pins(RUNTIME_LOCK)} == set()
    assert used - {normal(pin) for pin in pins(DEV_LOCK)} == set()


def test_what_ships_is_what_was_tested() -> None:
    # A tool may need the same on more platforms, so that its marker there says more.
    shipped, tested = (
        {pin.partition(";")[0].strip() for pin in pins(lock)} for lock in (RUNTIME_LOCK, DEV_LOCK)
    )
    assert shipped - tested == set()


def test_each_decision_has_a_number_of_its_own_and_begins_with_it() -> None:
    pages = sorted((ROOT / "ops" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert numbers == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        assert page.read_text(encoding="utf-8").startswith(f"# {page.name[:4]} "), page.name


def test_commands_are_imported_by_no_other_code() -> None:
    """What a command shows and others need as well has a file of its own in ops."""
    found = [
        place(path, line, full)
        for name, path in code_files().items()
        if not name.startswith("ops.commands")
        for line, _, full in imports(parse(path))
        if full.startswith("ops.commands")
    ]
    assert found == []
