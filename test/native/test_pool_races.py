"""The thread pool under many callers, jobs in jobs, forks and stops: the object that is shipped, and ThreadSanitizer on
`pool.c`, which finds a missing order of memory where it is planted."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from wse_mlir.runtime.native.pool import pool_object

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "wse_mlir/runtime/native/pool.c").read_text()
DRIVER = Path(__file__).with_name("pool_driver.c")
GCC = ["gcc", "-std=c11", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread"]
# Programs of the driver, with how often they do it.
STRESS = {
    "together": 2000,
    "in-turns": 1,
    "callers": 5000,
    "nested": 500,
    "sizes": 3,
    "forks": 15,
    "stops": 20,
}
# Not "forks": ThreadSanitizer does not support threads in a process that was forked while others ran.
RACES = {"together": 200, "in-turns": 1, "callers": 300, "nested": 50, "sizes": 1, "stops": 10}
IMPATIENT = ("#define PATIENCE 2000", "#define PATIENCE 0")  # threads sleep at once instead of spinning
UNDER_SANITIZER = ("-O1", "-fsanitize=thread")
SANITIZER = {"halt_on_error": 1, "exitcode": 66, "die_after_fork": 0, "atexit_sleep_ms": 0}

# What each order is for: without it, the program shows a race. (Texts of pool.c, and what takes their places.)
FAULTS = {
    "workers do not see what the caller wrote": (
        "together",
        (
            "(number + ONE_JOB) | (uint64_t)chunks, sequential",
            "(number + ONE_JOB) | (uint64_t)chunks, relaxed",
        ),
        ("ticket - 1, acquire_release", "ticket - 1, acquire"),
    ),
    "the caller does not see what workers wrote": (
        "together",
        ("&pool.finished, 1, sequential", "&pool.finished, 1, relaxed"),
    ),
    "the caller does not look": (
        "together",
        ("atomic_load_explicit(&pool.finished, acquire)", "atomic_load_explicit(&pool.finished, relaxed)"),
        ("atomic_load_explicit(&pool.finished, sequential)", "atomic_load_explicit(&pool.finished, relaxed)"),
    ),
    "the next caller does not see which workers there are": (
        "in-turns",
        ("&pool.busy, 0, release", "&pool.busy, 0, relaxed"),
    ),
    "the next caller does not look": (
        "in-turns",
        ("&idle, 1, acquire, relaxed", "&idle, 1, relaxed, relaxed"),
    ),
}


def run(program: Path, name: str, rounds: int) -> subprocess.CompletedProcess[str]:
    """One program of the driver; a pool that hangs fails the test."""
    options = ":".join(f"{option}={value}" for option, value in SANITIZER.items())
    return subprocess.run(
        [program, name, str(rounds)],
        env={**os.environ, "TSAN_OPTIONS": options},
        capture_output=True,
        text=True,
        timeout=300,
    )


def built(folder: Path, changes: Iterable[tuple[str, str]], *options: str) -> Path:
    """The driver with `pool.c`, changed."""
    text = SOURCE
    for old, new in changes:
        assert text.count(old) == 1, f"pool.c has no single '{old}'"
        text = text.replace(old, new)
    (folder / "pool.c").write_text(text)
    subprocess.run([*GCC, *options, DRIVER, folder / "pool.c", "-o", folder / "driver"], check=True)
    return folder / "driver"


@pytest.fixture(scope="module")
def thread_sanitizer(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where gcc comes without it, or the system's layout of memory is not for it."""
    folder = tmp_path_factory.mktemp("sanitizer")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    build = ["gcc", "-fsanitize=thread", folder / "empty.c", "-o", folder / "empty"]
    for command in (build, [folder / "empty"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"gcc's ThreadSanitizer does not work here: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("impatient"), [IMPATIENT], "-O2")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver with the object that models and libraries get."""
    folder = tmp_path_factory.mktemp("stress")
    (folder / "pool.o").write_bytes(pool_object())
    subprocess.run([*GCC, "-O2", DRIVER, folder / "pool.o", "-o", folder / "stress"], check=True)
    return folder / "stress"


@pytest.fixture(scope="module", params=["spinning", "sleeping"])
def races(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, thread_sanitizer: None
) -> Path:
    changes = (IMPATIENT,) if request.param == "sleeping" else ()
    return built(tmp_path_factory.mktemp("races"), changes, *UNDER_SANITIZER)


@pytest.mark.parametrize("name", STRESS)
def test_stress(shipped: Path, name: str) -> None:
    done = run(shipped, name, STRESS[name])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", STRESS)
def test_stress_of_threads_that_sleep_at_once(impatient: Path, name: str) -> None:
    done = run(impatient, name, STRESS[name])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", RACES)
def test_no_races(races: Path, name: str) -> None:
    done = run(races, name, RACES[name])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("thread_sanitizer")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_race_is_found(fault: str, tmp_path: Path) -> None:
    name, *changes = FAULTS[fault]
    done = run(built(tmp_path, changes, *UNDER_SANITIZER), name, RACES[name])
    assert done.returncode == SANITIZER["exitcode"] and "data race" in done.stderr


def test_a_wrong_result_is_noticed(tmp_path: Path) -> None:
    """A pool that leaves out a chunk."""
    pool = "#include <stdint.h>\ntypedef void body(void *, int64_t);\nvoid wse_pool_stop(void) {}\n"
    pool += "void wse_pool_run(body *b, void *e, int64_t n, int64_t t) { while (n-- > 1) b(e, n + 0 * t); }\n"
    (tmp_path / "pool.c").write_text(pool)
    subprocess.run([*GCC, DRIVER, tmp_path / "pool.c", "-o", tmp_path / "wrong"], check=True)
    done = run(tmp_path / "wrong", "callers", 5)
    assert (done.returncode, done.stderr) == (1, "pool_driver: a chunk was not computed once\n")
