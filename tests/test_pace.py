"""How many threads compute is found out by trying, and trying costs little where it is in vain."""

from __future__ import annotations

from pocketsleep.runtime.pace import Pace


def runs(pace: Pace, count: int, seconds: dict[int, float], tokens: int = 16) -> list[int]:
    "The threads of so many runs on a machine where each number of threads takes so long."
    used = []
    for _ in range(count):
        used.append(pace.threads(tokens))
        pace.took(tokens, seconds[used[-1]])
    return used


def test_an_idle_machine_comes_to_use_every_processor() -> None:
    used = runs(Pace(1, 2), 200, {1: 2.0, 2: 1.1})
    assert used[:8] == [1] * 8
    assert used.count(2) > 180


def test_on_a_busy_one_trials_become_rare() -> None:
    used = runs(Pace(1, 2), 3000, {1: 1.0, 2: 200.0})
    assert 1 <= used.count(2) <= 9


def test_it_follows_a_change() -> None:
    pace = Pace(1, 2)
    runs(pace, 50, {1: 2.0, 2: 1.0})
    assert runs(pace, 1500, {1: 1.0, 2: 3.0})[-1] == 1


def test_only_runs_of_the_same_size_are_compared() -> None:
    pace = Pace(1, 2)
    for tokens in range(1, 100):
        assert pace.threads(tokens) == 1
        pace.took(tokens, 1.0)


def test_one_number_of_threads_is_never_left() -> None:
    assert set(runs(Pace(1, 1), 100, {1: 1.0})) == {1}
