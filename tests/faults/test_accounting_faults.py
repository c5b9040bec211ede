"""What happens to PowerMTA's accounting files."""

from tests.faults.conftest import Begin
from tests.faults.middlefile import lose_the_middle_file


async def test_a_middle_file_that_is_missing_proves_no_absence(begin: Begin, scale: int) -> None:
    """What is in doubt stays so however many probes are read; when the file is back, it says that
    PowerMTA had taken everything."""
    scenario = await begin(
        "an accounting stream without its middle file", through=("pmta",), control=True
    )
    stack = scenario.stack
    away = await lose_the_middle_file(scenario, scale)
    for _ in range(4):
        await stack.advance((stack.settings_of_gateway.hold.probe_gap + 60) / 86_400)
        await scenario.none_waits("doubt", patience=3.0)
    found = await scenario.books()
    assert not found.problems
    assert found.doubt > 5 * scale
    away.rename(stack.pmta.stream.with_name(away.name))
    scenario.fault_ends()
    await scenario.close()
