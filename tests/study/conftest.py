import pytest


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Where the plans of a test are remembered, by nobody else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fallline" / "plans"
