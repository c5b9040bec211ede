"""The document is what others call OpenAPI 3.1, and its examples what they call right."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.schemathesis.asking import COMMAND, HERE
from tests.support.control.document import whole

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="schemathesis is not installed: make schemathesis"
)


def linted(document: dict[str, Any], folder: Path) -> tuple[int, str]:
    file = folder / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    command = [str(COMMAND.with_name("python")), str(HERE / "lint.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_document_is_openapi_and_its_examples_are_right(tmp_path: Path) -> None:
    code, said = linted(whole(), tmp_path)
    assert code == 0, said
    assert said.endswith(" 0 problems\n")
    assert int(said.split()[-4]) > 500


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(whole()))
    one = broken["paths"]["/api/v2/tenants/{tenant}"]["get"]
    one["parameters"][0]["example"] = "a tenant"
    one["responses"]["200"].pop("description")
    code, said = linted(broken, tmp_path)
    assert code == 1
    assert "/paths//api/v2/tenants/{tenant}/get/parameters/0: " in said
    assert '"description" is a required property' in said
    assert said.endswith(" 2 problems\n")
