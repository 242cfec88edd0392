"""Parameters and resources of template.json, shared with `chalice deploy` so that both ways agree."""

from __future__ import annotations

import json
import pathlib
from typing import Any

_TEMPLATE = json.loads(pathlib.Path(__file__).with_name("template.json").read_text())

PARAMETERS: dict[str, Any] = _TEMPLATE["Parameters"]
RESOURCES: dict[str, Any] = _TEMPLATE["Resources"]
