"""The configuration of `sendgate pmta agent`: a file of its own, on PowerMTA's host.

As in `settings.model`: the text under a field is its manual, times are seconds, sizes octets.
"""

import re
from typing import Annotated

import msgspec

Short = Annotated[float, msgspec.Meta(gt=0, le=15.0)]
"""Connecting, sending and waiting for an answer each take so long at most, and the folder has to
be looked at once a minute."""

_PLACE = re.compile(r"(?:/[A-Za-z0-9._-]+)+/?")

Wait = Annotated[float, msgspec.Meta(gt=0, le=600)]


class Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ships PowerMTA's accounting to Sendgate's control plane."""

    url: str = ""
    """The control plane, such as `https://sendgate.example`. Its certificate is checked."""
    token_file: str = "/etc/sendgate/agent.token"  # noqa: S105 - where it is, not what
    """Holds a token with the role accounting (`sendgate token add NAME --role accounting`); with
    the role agent where it keeps PowerMTA's configuration, too."""
    ca_file: str = ""
    """Certificates to check control's against; empty: those of the system."""
    server: str = ""
    """This PowerMTA's name in Sendgate (`sendgate server list`)."""
    name: str = ""
    """Of this agent, in Sendgate's status; empty: the host's name."""
    path: str = "/var/log/pmta/sendgate.csv"
    """The path as in PowerMTA's `<acct-file PATH>`; PowerMTA writes `sendgate-YYYY-MM-DD-NNNN.csv`
    beside it. With `--pipe` the agent writes these files itself."""
    move_to: str = ""
    """Where finished files go: the block's `move-to`, or the folder of your own cron job."""
    state: str = "/var/lib/sendgate-agent"
    """Folder for what the agent remembers. It may be lost: control knows the position, too."""
    timeout: Short = 10.0
    """For connecting to control, and for each of its answers."""
    retry_first: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    """Wait behind a failure; it doubles with each that follows, and half of it is left to
    chance."""
    retry_most: Annotated[float, msgspec.Meta(ge=1, le=3_600)] = 120.0
    """Longest such wait, unless control asks for a longer one (`Retry-After`, an hour at most)."""
    poll: Annotated[float, msgspec.Meta(gt=0, le=30)] = 1.0
    """Between two looks at the files."""
    idle: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 10.0
    """Longest silence: while nothing is written, control is told that so often."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 2_000
    """Most records posted at a time; a few hundred thousand octets at most, whatever it says."""
    pipe_largest: Annotated[int, msgspec.Meta(ge=65_536)] = 262_144_000
    """With `--pipe`: octets of a file behind the pipe, then the next one begins (250 MB)."""
    pipe_kept: Annotated[float, msgspec.Meta(ge=86_400)] = 691_200.0
    """With `--pipe`: seconds for which they are kept (8 days), shipped or not."""
    status_every: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    """Between two reports of what PowerMTA says of itself; control misses them after 15 minutes."""
    pmta: str = "pmta"
    """PowerMTA's command, asked for its version, licence and status; empty: it is not asked. The
    agent's user has to be allowed to use it (group pmta)."""
    configuration: str = ""
    """Folder for PowerMTA's configuration as control offers it, such as /etc/pmta/sendgate;
    PowerMTA's own includes `sendgate.conf` in it. The agent writes there and nowhere else, and
    reloads PowerMTA. Empty: it leaves PowerMTA's configuration alone."""
    group: str = "pmta"
    """Whose group its files become (mode 0640), so that PowerMTA reads them; empty: the group of
    the agent, or of the folder where that has the setgid bit."""
    test: bool = True
    """Whether PowerMTA tests a version before it loads it (`pmta test config`, from 5.0 on)."""
    test_wait: Wait = 30.0
    """Longest for that; then the version is given up and the former one is put back."""
    reload_wait: Wait = 120.0
    """Longest for `pmta reload`; the same then."""
    show_wait: Wait = 15.0
    """Longest for `pmta show vmtas` and `show queues`."""
    verify_wait: Wait = 30.0
    """Within so long behind a reload PowerMTA shows all VirtualMTAs of the version."""
    offer_wait: Annotated[float, msgspec.Meta(ge=0, le=300)] = 50.0
    """So long control may let the agent wait for another version: it comes at once then."""
    again_first: Annotated[float, msgspec.Meta(ge=0.1, le=3_600)] = 60.0
    """Wait until a version that failed is tried again, while control still offers it; doubled with
    each time."""
    again_most: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 3_600.0
    """Longest such wait."""
    monitor_url: str = ""
    """PowerMTA's web monitor, such as `http://127.0.0.1:8080`, asked for its status, too; empty: it
    is not."""
    monitor_key_file: str = ""
    """Holds PowerMTA's `http-api-key`; empty: the monitor lets this host in by `http-access`."""


def lacking(agent: Agent) -> list[str]:
    """What has to be said and is not, each naming its field."""
    found = []
    if not agent.url:
        found.append("url: say where the control plane is, such as https://sendgate.example")
    elif not agent.url.startswith(("http://", "https://")):
        found.append(f"url: {agent.url!r} begins neither with https:// nor with http://")
    if not agent.server:
        found.append("server: say this PowerMTA's name (see `sendgate server list`)")
    if not agent.path.startswith("/"):
        found.append(f"path: {agent.path!r} is not a whole path, as in <acct-file PATH>")
    if agent.configuration and not _PLACE.fullmatch(agent.configuration):
        found.append(
            f"configuration: {agent.configuration!r} is not a whole path of letters, digits and "
            "/ . _ - (PowerMTA reads the others as something else)"
        )
    if agent.configuration and not agent.pmta:
        found.append("pmta: name PowerMTA's command, which loads what `configuration` says")
    return found
