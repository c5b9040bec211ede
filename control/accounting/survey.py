"""What `sendgate check` finds about the streams: at the files themselves, whoever reads them."""

import asyncio
from pathlib import Path
from typing import Any

from control.accounting.folder import File, Folder
from control.accounting.look import lack_of
from control.accounting.records import LONGEST, split
from control.accounting.source import open_source
from control.accounting.status import NO_RECEIPTS, streams
from settings.accounting import Accounting, Stream

_LOOKED_AT = 3
"""Files, the newest, one of which has to have a receipt."""


async def found(pool: Any, settings: Accounting) -> list[str]:
    """Sentences about the configured streams, each with its fix; empty: all is well."""
    told = {stream.server: await asyncio.to_thread(survey, stream) for stream in settings.streams}
    for view in await streams(pool, settings, 0):
        if view.server in told and view.records and view.problem not in told[view.server]:
            told[view.server] += [view.problem] if view.problem else []
    return [
        f"accounting of {server}: {sentence}"
        for server, sentences in told.items()
        for sentence in sentences
    ]


def survey(stream: Stream) -> list[str]:
    """Of one stream, by its newest files. One that has none yet is well."""
    moved = Path(stream.move_to) if stream.move_to else None
    try:
        files = Folder(Path(stream.path), moved).list()
        records, receipts, lack = 0, 0, ""
        for file in files[-_LOOKED_AT:]:
            some, of_them, lack = _head(file)
            records, receipts = records + some, receipts + of_them
    except OSError as error:
        return [f"{error.filename or stream.path}: {error.strerror or error}"]
    sentences = [lack] if lack else []
    if records and not receipts:
        sentences.append(NO_RECEIPTS)
    return sentences


def _head(file: File) -> tuple[int, int, str]:
    """(records at its beginning, receipts among them, what it has no columns for)."""
    if file.trouble:
        return 0, 0, f"{file.path} is {file.trouble}"
    source = open_source(file)
    try:
        data = source.read(0, LONGEST).data
    finally:
        source.close()
    head = split(data, LONGEST, None)
    kinds = [record.fields[0] for piece in head.pieces for record in piece.records]
    lack = lack_of(file.name, head.columns.missing) if head.columns else ""
    return len(kinds), kinds.count("r"), lack
