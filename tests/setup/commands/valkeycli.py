"""`valkey-cli COMMAND …` on the ledger of this folder; exit code 1 for what it refuses."""

import os
import sys

import redis


def main() -> int:
    client = redis.Redis.from_url(os.environ["COMMANDS_LEDGER"])
    try:
        print(client.execute_command(*sys.argv[1:]))
    except redis.RedisError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
