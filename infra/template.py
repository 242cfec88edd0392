"""What template.json says, for those who say the same to `chalice deploy`."""

from __future__ import annotations

import json
import pathlib
from typing import Any

_TEMPLATE = json.loads(pathlib.Path(__file__).with_name("template.json").read_text())

PARAMETERS: dict[str, Any] = _TEMPLATE["Parameters"]
RESOURCES: dict[str, Any] = _TEMPLATE["Resources"]
