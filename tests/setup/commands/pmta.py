"""`pmta test config` reads the fragment as PowerMTA's stand-in does; `pmta reload` has it read."""

import os
import sys
from pathlib import Path

from loadtest.pmta.config import load
from loadtest.pmta.grammar import ConfigError


def main() -> int:
    if sys.argv[1:] not in (["test", "config"], ["reload"]):
        print(f"pmta has no {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 2
    try:
        load(Path(os.environ["COMMANDS_ROOT"]) / "etc" / "pmta" / "sendgate.conf")
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
