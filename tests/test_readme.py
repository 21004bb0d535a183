"""README is executed: its two lines are what they say, its examples run and print what it shows, and each
command of the program stands in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALLED = Path(sys.executable).with_name("pocketsleep")
# What a reader's `pocketsleep` runs; in a checkout that is not installed, the same entry point.
PROGRAM = [str(INSTALLED)] if INSTALLED.exists() else [sys.executable, "-c", "from pocketsleep.cli import main; main()"]


def section(title: str) -> str:
    "The text under a heading."
    return re.split(r"^## ", README.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, kind: str) -> list[str]:
    "The fenced blocks of one kind."
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> dict[str, set[str]]:
    "Each command of the program, with the options it knows."
    from pocketsleep.cli import app

    group = typer.main.get_command(app)
    options = {name: {opt for param in command.params for opt in param.opts}
               for name, command in group.commands.items()}  # type: ignore[attr-defined]
    return {name: {*known, "--help"} for name, known in options.items()}


def shown() -> list[list[str]]:
    "Every `pocketsleep ...` of README, in blocks and in running text, as words."
    fenced = [line.removeprefix("$ ") for block in blocks(README, "console") + blocks(README, "sh")
              for line in block.splitlines()]
    running = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`]+)`", running)
    found = [re.search(r"(?:^|/|&& )pocketsleep ([a-z-].*)$", " ".join(text.split())) for text in fenced + spans]
    return [shlex.split(hit[1]) for hit in found if hit]


def examples() -> list[tuple[str, str]]:
    "(command, what it prints) of the console blocks, in order."
    found: list[tuple[str, str]] = []
    for block in blocks(README, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def as_shown(output: str, expected: str) -> bool:
    "A line `...` stands for any lines; spaces at the end of a line do not count."
    tidy = "".join(line.rstrip() + "\n" for line in output.splitlines())
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in expected.splitlines())
    return re.fullmatch(pattern, tidy) is not None


def run(command: str, home: Path) -> str:
    "What a person sees who types this in a checkout: stdout and stderr together."
    words = shlex.split(command)
    assert words[0] == "pocketsleep", f"an example runs something else: {command}"
    surroundings = {**os.environ, "POCKETSLEEP_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run([*PROGRAM, *words[1:]], cwd=ROOT, env=surroundings, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


@pytest.mark.parametrize("title", ["Try it", "Test it"])
def test_setting_up_is_one_line(title: str) -> None:
    (block,) = blocks(section(title), "sh")
    (line,) = block.splitlines()
    assert line.startswith("python3 -m venv ")
    for file in re.findall(r"-r (\S+)", line):
        assert (ROOT / file).is_file()


def test_the_files_that_requirements_names_exist() -> None:
    named = re.findall(r"\$\{PWD\}/([\w./-]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_links_lead_somewhere() -> None:
    local = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert "docs/night.svg" in local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_examples_print_what_is_shown(tmp_path: Path) -> None:
    assert len(examples()) > 5
    for command, expected in examples():
        output = run(command, tmp_path / "home")
        assert as_shown(output, expected), f"$ {command}\n{output}\ninstead of\n{expected}"


def test_commands_and_options_in_readme_exist() -> None:
    known = commands()
    assert len(shown()) > 15
    for words in shown():
        assert words[0] in known, f"README shows `pocketsleep {words[0]}`"
        options = {w.partition("=")[0] for w in words[1:] if w.startswith("--")}
        assert options <= known[words[0]], f"`pocketsleep {words[0]}` does not know {options - known[words[0]]}"


def test_each_command_stands_in_readme() -> None:
    assert sorted(set(commands()) - {words[0] for words in shown()}) == []


def test_each_command_helps_with_an_example() -> None:
    from typer.testing import CliRunner

    from pocketsleep.cli import app

    for name in commands():
        helped = CliRunner().invoke(app, [name, "--help"])
        assert helped.exit_code == 0
        assert re.search(rf"^\s*Example: pocketsleep {name}\b", helped.output, re.MULTILINE), f"{name} shows no example"


def test_a_wrong_output_is_seen() -> None:
    assert as_shown("a\nb \nc\n", "a\n...\nc\n")
    assert as_shown("a\n", "a\n...\n")
    assert not as_shown("a\nb\n", "a\n")
    assert not as_shown("a\nb\nd\n", "a\n...\nc\n")
    assert not as_shown("a.b\n", "axb\n")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash runs it")
@pytest.mark.parametrize(("line", "code", "said"), [("echo ran && true", 0, "ran"), ("echo ran && false", 1, "ran")])
def test_ci_runs_the_line_of_readme(tmp_path: Path, line: str, code: int, said: str) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    readme = README.replace(blocks(section("Test it"), "sh")[0], line + "\n")
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    done = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, said), done.stderr
