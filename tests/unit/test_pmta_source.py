"""Sources laid over each other, the specific over the generic."""

from pathlib import Path

from loadtest.pmta.config import load
from loadtest.pmta.source import OURS, rules_for


def test_specific_sources_inherit_from_generic_ones(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "<source 10.0.0.1>\nprocess-x-job yes\n</source>\n"
        "<source 0/0>\nprocess-x-envid yes\nprocess-x-job no\n</source>\n"
        "<source named>\nalways-allow-relaying yes\n</source>\n"
    )
    sources = load(tmp_path / "config").sources
    near = rules_for(sources, "10.0.0.1", "")
    assert (near.process_x_job, near.process_x_envid, near.always_allow_relaying) == (1, 1, 0)
    far = rules_for(sources, "10.0.0.2", "Named")
    assert (far.process_x_job, far.process_x_envid, far.always_allow_relaying) == (0, 1, 1)
    assert not far.process_x_virtual_mta
    assert rules_for([], "10.0.0.1", "") == OURS
