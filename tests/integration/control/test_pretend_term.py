"""A term costs one field: one that there is not, put into the struct of terms and given its column,
is an option, in the API's document, in answers, in the table shown and in the audit log."""

import asyncio
import os
import sys
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.conftest import CreateDatabase
from tests.support.control.core import build
from tests.support.control.pretend import MEANS
from tests.support.repository import ROOT


@pytest.fixture
async def seen(create_database: CreateDatabase, valkey_url: str) -> Any:
    """What the doors of a program with the field have of it."""
    url = await create_database("control", build)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ALTER TABLE tenant ADD COLUMN birds bigint")
    finally:
        await connection.close()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.control.pretend", url, valkey_url),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return msgspec.json.decode(out)


async def test_one_field_is_all_that_a_term_costs(seen: Any) -> None:
    status, added = seen["added"]
    assert (status, added["view"]["birds"]) == (201, 3), added
    status, changed = seen["changed"]
    assert (status, changed["view"]["birds"]) == (200, 5), changed
    status, refused = seen["refused"]
    assert (status, refused["errors"][0]["field"]) == (400, "birds"), refused
    assert seen["row"]["birds"] == 5

    code, help_ = seen["help"]
    assert code == 0
    assert "--birds" in help_
    assert "<int|default>" in help_
    assert "default takes the setting birds.most" in " ".join(help_.split())
    code, misused = seen["misused"]
    assert code == 2
    assert "--birds: expected a whole number >= 0" in misused, misused
    assert seen["set"][0] == 0, seen["set"]
    line = next(line for line in seen["shown"][1].splitlines() if "birds" in line)
    assert "8" in line, line
    assert seen["got"][1]["birds"] == 8
    assert seen["default"][0] == 0, seen["default"]

    changes = [(e["action"], e["before"], e["after"]) for e in seen["audit"][1]["entries"]]
    assert changes[:3] == [
        ("tenant.set", {"birds": 8}, {"birds": None}),
        ("tenant.set", {"birds": 5}, {"birds": 8}),
        ("tenant.set", {"birds": 3}, {"birds": 5}),
    ]
    assert changes[3][2]["birds"] == 3

    for name, schema in seen["schemas"].items():
        assert schema["description"] == MEANS, name
        assert {"type": "null"} in schema["anyOf"], name
        assert any(kind.get("maximum") for kind in schema["anyOf"]), name
