"""Fixed seeds everywhere, so that a failure is the same failure tomorrow; no test is judged by its duration."""

import os
from collections.abc import Iterator
from pathlib import Path

# Tests run side by side, one a core: PyTorch's own threads would only wait for each other. Processes that tests
# start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests of passes must run passes, and the user's cache is none of their business; tests of the cache name a folder.
os.environ["WSE_CACHE"] = "0"

import hypothesis
import pytest
import torch
from warm_commands import warm_commands

hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of `wse`, `wse-opt` and `wse-reduce`; torch is imported for all of them at once, which is most of what
    one takes. Tests of processes, signals and start-up take the scripts of the environment."""
    with warm_commands(tmp_path_factory.mktemp("warm")) as folder:
        yield folder
