"""The house rules, drawn from the source: imports point down, and each thing is known in one place.

Every rule is a function from modules to findings. The tree must have none, and each rule must find the
violation that is planted for it: a rule that cannot fail proves nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "pocketsleep"

LEVELS = [
    "errors",
    "nouns",
    "home disk",
    "hooks",
    "cards hub journal runtime.blas",
    "weights",
    "registry fastweights",
    "runtime",
    "night serve",
    "pocket",
    "demo asleep plugins",
    "bench",
    "cli",
]
LEVEL = {name: depth for depth, row in enumerate(LEVELS) for name in row.split()}
BESIDE = {("cards", "hub")}  # arrows allowed within a row: a card is found, then fetched

MOST_LINES = 400
MOST_FUNCTION_LINES = 60


@dataclass
class Module:
    "One source file, read."

    name: str  # "pocketsleep.journal.store"
    text: str
    is_package: bool = False
    known: frozenset[str] = field(default_factory=frozenset)  # names of all modules

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def unit(self) -> str:
        "The name that has a level: \"journal\", or \"runtime.blas\" where a part has its own."
        parts = self.name.split(".")[1:]
        return next((unit for n in (2, 1) if (unit := ".".join(parts[:n])) in LEVEL), ".".join(parts[:1]))

    def imports(self) -> list[str]:
        "Dotted names of everything imported, inside functions too. Under TYPE_CHECKING are types, no arrows."
        return [name for node in _running(self.tree) for name in self._names(node)]

    def _names(self, node: ast.AST) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if not isinstance(node, ast.ImportFrom):
            return []
        home = self._absolute(node)
        full = [f"{home}.{alias.name}" for alias in node.names]
        return [name if name in self.known else home for name in full]

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        base = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*base, *([node.module] if node.module else [])])


def _running(node: ast.AST) -> Iterator[ast.AST]:
    "Every node that can run."
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _running(child)


@cache
def read(root: Path = ROOT) -> tuple[Module, ...]:
    paths = sorted((root / PACKAGE).rglob("*.py"))
    names = [".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for p in paths]
    return tuple(Module(name, path.read_text(encoding="utf-8"), path.name == "__init__.py", frozenset(names))
                 for name, path in zip(names, paths, strict=True))


# The rules. Each answers with what is wrong, in words.


def imports_point_down(modules: Sequence[Module]) -> list[str]:
    "As LEVELS draws them: what is above may import what is below, and nothing its neighbour."
    found = []
    by_name = {m.name: m for m in modules}
    for module in modules:
        if not module.unit:  # pocketsleep itself holds the version alone
            continue
        if module.unit not in LEVEL:
            found.append(f"{module.name} has no level: give `{module.unit}` one")
            continue
        for name in module.imports():
            other = by_name.get(name)
            if other is None or not other.unit or other.unit == module.unit or other.unit not in LEVEL:
                continue
            if LEVEL[other.unit] >= LEVEL[module.unit] and (module.unit, other.unit) not in BESIDE:
                found.append(f"{module.name} imports {other.name}: turn the arrow round")
    return found


def no_cycles(modules: Sequence[Module]) -> list[str]:
    "No module reaches itself. A package may import its own parts: it is put together from them."
    arrows = {m.name: _arrows(m) for m in modules}
    ways = {name: _way_back(name, arrows) for name in arrows}
    return [f"{name} imports itself by way of {' > '.join(way)}" for name, way in ways.items() if way]


def _arrows(module: Module) -> list[str]:
    names = [n for n in module.imports() if n in module.known and n != module.name]
    return [n for n in names if not (module.is_package and n.startswith(module.name + "."))]


def _way_back(start: str, arrows: dict[str, list[str]]) -> list[str]:
    "The first way found from a module back to it, [] when there is none."
    ways, seen = [[name] for name in arrows[start]], set()
    while ways:
        way = ways.pop()
        if way[-1] == start:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, name] for name in arrows.get(way[-1], [])]
    return []


def _only(modules: Sequence[Module], may: str, broken: Callable[[Module], list[str]], what: str) -> list[str]:
    "Findings of `broken` outside of the modules that `may` matches."
    others = [m for m in modules if not re.match(rf"{PACKAGE}\.(?:{may})", m.name)]
    return [f"{module.name} {what}: {hit}" for module in others for hit in broken(module)]


SQL = re.compile(
    r"\s*(?:select\s.+\sfrom|insert\s+(?:or\s+\w+\s+)?into|update\s+\w+\s+set|delete\s+from|"
    r"(?:create|drop|alter)\s+(?:virtual\s+|temp\s+)?(?:table|index|trigger)|pragma\s+\w+)\b",
    re.IGNORECASE | re.DOTALL,
)


def only_journal_knows_sql(modules: Sequence[Module]) -> list[str]:
    def broken(module: Module) -> list[str]:
        drivers = [n for n in module.imports() if n.split(".")[0] in ("sqlite3", "sqlite_utils", "pysqlite3")]
        return drivers + [text[:60] for text in _strings(module.tree) if SQL.match(text)]

    return _only(modules, r"journal\b", broken, "speaks SQL")


def _strings(tree: ast.Module) -> list[str]:
    "String constants that are not docstrings."
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in prose]
    return [n.value for n in constants if isinstance(n.value, str)]


def only_engines_import_mlx(modules: Sequence[Module]) -> list[str]:
    def broken(module: Module) -> list[str]:
        return [n for n in module.imports() if n.split(".")[0] in ("mlx", "mlx_lm")]

    return _only(modules, r"(?:runtime\.(?:mlx|blas|packed|adam|whiten)|weights\b|fastweights\b|bench\.(?:train|fastweights|naps))", broken, "imports MLX")


def only_the_api_knows_openai(modules: Sequence[Module]) -> list[str]:
    def broken(module: Module) -> list[str]:
        return [text[:60] for text in _strings(module.tree) if "chat.completion" in text]

    return _only(modules, r"serve\.(?:api|guard)", broken, "speaks OpenAI JSON")


def only_cli_prints(modules: Sequence[Module]) -> list[str]:
    def broken(module: Module) -> list[str]:
        calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
        prints = [f"line {c.lineno}" for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]
        streams = [n for n in ast.walk(module.tree) if isinstance(n, ast.Attribute)
                   and ast.unparse(n) in ("sys.stdout", "sys.stderr")]
        return prints + [f"line {s.lineno}" for s in streams]

    return _only(modules, r"(?:cli|bench)\b", broken, "prints")


def only_home_reads_the_environment(modules: Sequence[Module]) -> list[str]:
    "Setting a variable for a library (`os.environ.setdefault`) is not reading one."
    return _only(modules, r"home\b", _environment, "reads the environment")


def _environment(module: Module) -> list[str]:
    nodes = list(ast.walk(module.tree))
    uses = [n for n in nodes if ast.unparse(n) in ("os.environ", "os.getenv")]
    stores = [n for n in nodes if isinstance(n, ast.Subscript) and not isinstance(n.ctx, ast.Load)]
    setters = [n for n in nodes if isinstance(n, ast.Attribute) and n.attr == "setdefault"]
    written = {id(n.value) for n in stores} | {id(n.value) for n in setters}
    named = [a.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "os" for a in n.names]
    reads = [ast.unparse(n) for n in uses if isinstance(n, ast.Attribute) and id(n) not in written]
    return reads + [name for name in named if name in ("environ", "getenv")]


def files_are_short(modules: Sequence[Module]) -> list[str]:
    lengths = {m.name: len(m.text.splitlines()) for m in modules}
    return [f"{name} has {lines} lines" for name, lines in lengths.items() if lines > MOST_LINES]


def functions_are_short(modules: Sequence[Module]) -> list[str]:
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    found.append(f"{module.name}.{node.name} has {lines} lines")
    return found


UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")


def nothing_is_unfinished(modules: Sequence[Module]) -> list[str]:
    marks = [f"{m.name}: {hit.group()}" for m in modules for hit in UNFINISHED.finditer(m.text)]
    raises = [(m.name, ast.unparse(n)) for m in modules for n in ast.walk(m.tree) if isinstance(n, ast.Raise)]
    return marks + [f"{name}: {text}" for name, text in raises if "NotImplementedError" in text]


# For each rule, a tree that breaks it: module name -> source.
PLANTED: dict[Callable[[Sequence[Module]], list[str]], dict[str, str]] = {
    imports_point_down: {"pocketsleep.night.gather": "def f():\n    from pocketsleep.serve import day\n",
                         "pocketsleep.serve.day": ""},
    no_cycles: {"pocketsleep.journal.a": "from pocketsleep.journal.b import x\n",
                "pocketsleep.journal.b": "from . import a\n"},
    only_journal_knows_sql: {"pocketsleep.registry": "db.execute('update pocket set current = ?')\n"},
    only_engines_import_mlx: {"pocketsleep.night.seed": "import mlx.core as mx\n"},
    only_the_api_knows_openai: {"pocketsleep.serve.day": "kind = 'chat.completion.chunk'\n"},
    only_cli_prints: {"pocketsleep.night.seed": "print('a loss')\n"},
    only_home_reads_the_environment: {"pocketsleep.hub": "import os\ntoken = os.environ.get('HF_TOKEN')\n"},
    files_are_short: {"pocketsleep.nouns": "x = 1\n" * (MOST_LINES + 1)},
    functions_are_short: {"pocketsleep.nouns": "def f():\n" + "    x = 1\n" * MOST_FUNCTION_LINES},
    nothing_is_unfinished: {"pocketsleep.nouns": "def f():\n    raise NotImplementedError('later')\n"},
}
RULES = list(PLANTED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Callable[[Sequence[Module]], list[str]]) -> None:
    assert rule(read()) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_can_fail(rule: Callable[[Sequence[Module]], list[str]]) -> None:
    modules = [Module(name, text, known=frozenset(PLANTED[rule])) for name, text in PLANTED[rule].items()]
    assert rule(modules), f"{rule.__name__} did not see the planted violation"


@pytest.mark.parametrize("planted", [
    "import sqlite3\n", "from sqlite_utils import Database\n", "q = '''\\n SELECT id\\n FROM turns'''\n",
    "q = 'pragma journal_mode'\n",
])
def test_sql_is_seen_in_each_dress(planted: str) -> None:
    assert only_journal_knows_sql([Module("pocketsleep.pocket", planted)])


@pytest.mark.parametrize("harmless", [
    '"Select words from the day, then delete from memory."\n',  # a docstring is prose
    "import os\nos.environ.setdefault('MLX_DISABLE_COMPILE', '1')\n",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mlx.core\n",
    "try:\n    pass\nexcept NotImplementedError:\n    pass\n",
])
def test_what_keeps_the_rules_is_let_be(harmless: str) -> None:
    modules = [Module("pocketsleep.pocket", harmless)]
    assert [finding for rule in RULES for finding in rule(modules)] == []


@pytest.mark.parametrize("planted", [
    "import os\nx = os.getenv('HOME')\n", "from os import environ\n", "import os\nx = os.environ['HOME']\n",
])
def test_reading_the_environment_is_seen_in_each_dress(planted: str) -> None:
    assert only_home_reads_the_environment([Module("pocketsleep.cards", planted)])


def test_a_module_without_a_level_is_seen() -> None:
    assert imports_point_down([Module("pocketsleep.attic", "")])


def test_every_level_exists() -> None:
    "A row of the drawing that stands for nothing is removed."
    here = {m.unit for m in read()}
    assert sorted(set(LEVEL) - here) == []
