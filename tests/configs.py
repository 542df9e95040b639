"""Small configurations as files, and what their mistakes are answered."""

from pathlib import Path

import pytest
import yaml

from equipoise.errors import ConfigError
from equipoise.stages.configuration import graph_of, load_config

PLAIN = {
    "workspace": "w",
    "source": {"kind": "images", "path": "data/digits"},
    "embed": {"encoder": "pixels", "size": 8},
    "cluster": {"levels": [{"k": 30}, {"k": 5, "resampling": {"rounds": 3, "points": "half"}}]},
    "select": [{"name": "balanced", "target": 10}],
}


def written(folder: Path, **sections) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, **sections}))
    return path


def refusal(folder: Path, *overrides: str, **sections) -> str:
    path = written(folder, **sections)
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert message.startswith(f"config {path}") or message.startswith("override")
    assert "\n" not in message
    return message


def misfit(folder: Path, *overrides: str, **sections) -> str:
    """What is said of sections that are each right and do not fit together: before any work, by the graph."""
    config = load_config(written(folder, **sections), overrides)
    with pytest.raises(ConfigError) as caught:
        graph_of(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)
