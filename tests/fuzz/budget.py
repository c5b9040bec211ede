"""How long fuzz targets run: 300 examples, always the same, unless the profile `soak` is loaded."""

from hypothesis import HealthCheck, settings

_UNHURRIED = list(HealthCheck)
QUICK = settings(
    max_examples=300, derandomize=True, deadline=None, database=None,
    suppress_health_check=_UNHURRIED,
)  # fmt: skip
SOAK = settings(max_examples=100_000, deadline=None, suppress_health_check=_UNHURRIED)
settings.register_profile("soak", SOAK)


def budget() -> settings:
    """The settings of a fuzz target, to decorate it with."""
    return SOAK if settings.get_current_profile_name() == "soak" else QUICK
