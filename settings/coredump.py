"""No process that holds secrets leaves a copy of its memory on a disk."""

import resource


def without() -> None:
    """From now on, in children too: a core has every password and key that the process knew, and
    mail. The hard limit stays: `prlimit --core=unlimited --pid PID` lets one be taken on purpose.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
