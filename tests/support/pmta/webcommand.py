"""PowerMTA's command for a stand-in that runs: it says what its web interface answers."""

import sys
from pathlib import Path

_SCRIPT = '''#!{python} -SE
"""`pmta [--json] COMMAND`, by POST /command."""

import sys
import urllib.error
import urllib.parse
import urllib.request

words = sys.argv[1:]
form = {{"format": "json"}} if words[:1] == ["--json"] else {{}}
form["command"] = " ".join(words[len(form) :])
try:
    with urllib.request.urlopen({url!r}, urllib.parse.urlencode(form).encode(), 30) as answer:
        print(answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
    sys.exit(1)
except OSError as error:
    print(f"cannot connect to PowerMTA: {{error}}")
    sys.exit(1)
'''


def web_command(file: Path, url: str) -> Path:
    """Write it; `url`: of the stand-in's web interface."""
    file.write_text(_SCRIPT.format(python=sys.executable, url=f"{url}/command"))
    file.chmod(0o755)
    return file
