"""Whatever the document allows and forbids is asked, as everybody: schemathesis reads it, makes
requests of it, and holds the answers to it. `make schemathesis` asks for more."""

import os
from pathlib import Path

import pytest

from control.parts import Parts
from tests.schemathesis.asking import COMMAND, HERE, SHORT, asked
from tests.schemathesis.report import ROLES, Report, exclusions, table
from tests.schemathesis.stock import stocked
from tests.support.control.core import Api

EXAMPLES = int(os.environ.get("SENDGATE_EXAMPLES", str(SHORT)))
SEED = int(os.environ.get("SENDGATE_SEED", "1"))

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="schemathesis is not installed: make schemathesis"
)

CHANGING = {"admin", "operator", "tenant"}
"""To the others most is forbidden, whatever the request says: they need not ask so much."""


OWN = {"GET /api/openapi.json"}
"""Where schemathesis has the document from it does not ask: we did."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", ROLES)
async def test_the_document_keeps_its_word(
    api: Api, core: Parts, tmp_path: Path, role: str
) -> None:
    tokens = await stocked(api, core)
    _, document = await api("GET", "/api/openapi.json", token="")
    assert isinstance(document, dict)
    excused = exclusions(HERE / "exclusions.toml")
    examples = EXAMPLES if role in CHANGING else max(1, EXAMPLES // 3)
    report = await asked(
        *(api.url, role, tokens[role], tmp_path, excused), examples=examples, seed=SEED
    )
    keep(report)
    print(f"\n{table([report])}")
    said = {f"{m.upper()} {path}" for path, ms in document["paths"].items() for m in ms}
    assert said - report.operations == OWN, "operations that nobody asked"
    assert report.errors == []
    assert [one.line() for one in report.findings] == []


def keep(report: Report) -> None:
    """For who looks at it behind the run, where they say in which folder."""
    if folder := os.environ.get("SENDGATE_FINDINGS"):
        text = "\n".join(dict.fromkeys(one.line() for one in report.findings))
        Path(folder, f"{report.role}.txt").write_text(f"{table([report])}\n{text}\n")
