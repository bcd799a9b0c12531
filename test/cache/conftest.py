"""Every test has a cache of its own. The compiler's sources may be edited while tests run; here they count as fixed."""

from pathlib import Path

import pytest

from wse_mlir.cache import lookup


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lookup, "toolchain", lambda: "fixed")
    return tmp_path / "cache"
