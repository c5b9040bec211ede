"""The data directory of one stack: where its parts live and where commands find the stack."""

import os
from pathlib import Path

import msgspec

from control.embedded.servers.account import private_directory
from control.embedded.servers.error import LocalPartError
from control.embedded.servers.lock import DirectoryLock
from control.store.files import write_private

DEFAULT = Path(".sendgate")

STACK_FILE = "sendgate.toml"
"""What a stack leaves in its data dir for its gateway; local commands read it too."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stack is reached. Unknown fields are ignored: an older command reads a newer file."""

    smtp: str
    """host:port where mail is handed in"""
    api: str
    """base URL of the control API"""
    token_file: str
    """file with the administrator's token, mode 0600"""
    pmta: str = ""
    """host:port of PowerMTA or its stand-in"""
    valkey: str = ""
    """URL of the ledger, password included"""
    postgres: str = ""
    """URL of the database, password included"""


class DataDir:
    """Names, the lock and the address file; the parts own what is in their directories."""

    def __init__(self, root: Path | str = DEFAULT) -> None:
        """Nothing is created before `create()`: commands that only read leave no traces."""
        self.root = Path(root)
        self.lock = DirectoryLock(self.root)

    def __repr__(self) -> str:
        return f"<DataDir {self.root}>"

    @property
    def valkey(self) -> Path:
        """The directory of the embedded Valkey."""
        return self.root / "valkey"

    @property
    def postgres(self) -> Path:
        """The directory of the embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def token_file(self) -> Path:
        """Where the administrator's token is left."""
        return self.root / "admin-token"

    @property
    def addresses_file(self) -> Path:
        """Where the stack leaves its addresses."""
        return self.root / "addresses.json"

    def create(self) -> None:
        """Create the directory, closed to others; one that exists is left as it is."""
        try:
            private_directory(self.root)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise LocalPartError(
                f"cannot create the data directory {self.root} ({error.strerror}); "
                "choose another --data-dir"
            ) from error
        if not self.root.is_dir() or not os.access(self.root, os.W_OK | os.X_OK):
            raise LocalPartError(
                f"{self.root} is not a directory this user can write to; choose another --data-dir"
            )

    def running(self) -> int | None:
        """The pid of the stack that runs on this directory, None if none does."""
        return self.lock.holder()

    def write(self, addresses: Addresses) -> None:
        """Publish the addresses, wholly or not at all."""
        text = msgspec.json.format(msgspec.json.encode(addresses), indent=2).decode()
        write_private(self.addresses_file, text + "\n")

    def read(self) -> Addresses:
        """The addresses of the last stack that ran here; it may have ended since."""
        start = f"start one with: sendgate up --data-dir {self.root}"
        try:
            return msgspec.json.decode(self.addresses_file.read_bytes(), type=Addresses)
        except (FileNotFoundError, NotADirectoryError):
            raise LocalPartError(f"no stack has run in {self.root}; {start}") from None
        except PermissionError:
            raise LocalPartError(
                f"{self.addresses_file} belongs to another user; "
                "run the command as the user that runs the stack"
            ) from None
        except (msgspec.DecodeError, OSError) as error:
            raise LocalPartError(
                f"{self.addresses_file} is damaged ({error}); remove it and {start}"
            ) from error
