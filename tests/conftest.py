"""One import of the real base serves the whole run; no test sees the user's home or a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketsleep.runtime import blas  # noqa: F401  before anything imports mlx


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def smol(cache: Path):  # type: ignore[no-untyped-def]
    "SmolLM2-135M-Instruct, imported."
    from pocketsleep import cards, weights

    return weights.open_base(cards.find("smollm2-135m"), cache)


@pytest.fixture(scope="session")
def tiny(smol, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    "A random base with the real tokenizer, as an MLX folder."
    from tests.tiny import tiny_base

    return tiny_base(tmp_path_factory.mktemp("tiny") / "base", smol.folder)


@pytest.fixture(scope="module", autouse=True)
def _unskilled(request: pytest.FixtureRequest) -> Iterator[None]:
    "Nights of tests listen by rules and dream by grammar, as where no skill is installed: a minute each. `skilled` modules have the rest."
    from pocketsleep.pocket import Pocket

    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("skilled") is None:
            patch.setattr(Pocket, "skills", None)
            patch.setattr(Pocket, "finder", lambda pocket: None)
        yield


@pytest.fixture(autouse=True)
def _away_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POCKETSLEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POCKETSLEEP_PROFILE", "")  # set, so that a profile chosen in a test is taken back
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
