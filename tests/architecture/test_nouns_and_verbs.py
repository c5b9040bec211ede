"""What can be added can also be shown, listed, changed, moved and taken away: each cell of noun ×
verb names its command, its route and a test of it, or says why there is none."""

import ast
from functools import cache
from typing import Any

import msgspec
import pytest
import typer.main

from control.api.permission import PERMISSIONS
from control.cli.main import app
from tests.support.repository import ROOT

ROUTES = {f"{method} {path}" for method, path in PERMISSIONS}
"""All that a token is needed for (tests/integration/control/test_roles.py compares them)."""

VERBS = ("add", "show", "list", "change", "rename", "move", "pause", "remove")


class Done(msgspec.Struct, frozen=True):
    """It exists."""

    command: str
    route: str
    """Method and path; '' for what has no API."""
    test: str
    """`file: function` under tests/integration/control."""


REMOVAL = "test_removal.py: "
_PLANS = "test_warmup_by_hand.py: test_plans_are_stored_used_and_kept_while_used"
_TENANT = "/api/v2/tenants/{tenant}"
_LOGIN = f"{_TENANT}/login"
_ROTATED = "test_login_rotation.py: test_a_login_is_given_its_next_password_and_the_former_one_ends"
_SUPPRESSIONS = "/api/v2/suppressions"
_SUPPRESSED = "test_suppressions.py: test_the_command_adds_shows_lists_and_removes"
_USERS = "test_users_api.py: test_a_user_from_add_to_remove_by_route"
_TOKENS = "test_tokens_api.py: "
_ISSUED = "test_a_token_from_add_to_revoke_by_route"
_OF_TENANT = "it is its tenant's: moving it would move mail that waits to another customer"
_KEY = "its name is a key of ledger, PowerMTA's queues and accounting, and held mail"
_IS = "its name is what it is: the other one is added, this one removed"
_REPLACED = "a new one is added and this one revoked or removed, so that both work meanwhile"
_SETTING = "it stands in the settings of the host, and is read at the start"
_NO_PAUSE = "what it carries is paused: its tenant, pool or IPs"

CELLS: dict[str, dict[str, Done | str]] = {
    "tenant": {
        "add": Done(
            "tenant add",
            "POST /api/v2/tenants",
            "test_api.py: test_a_tenant_from_add_to_password_and_never_a_hash",
        ),
        "show": Done(
            "tenant show",
            f"GET {_TENANT}",
            "test_ids.py: test_paths_queries_and_bodies_take_the_number_where_they_take_the_name",
        ),
        "list": Done(
            "tenant list",
            "GET /api/v2/tenants",
            "test_roles.py: test_a_tenants_token_sees_and_changes_its_own",
        ),
        "change": Done(
            "tenant set",
            f"PATCH {_TENANT}",
            "test_hold_terms.py: test_terms_reach_the_plan_and_null_takes_the_default",
        ),
        "rename": _KEY,
        "move": "it belongs to nothing",
        "pause": Done(
            "tenant pause",
            f"POST {_TENANT}/pause",
            "test_api.py: test_a_tenant_from_add_to_password_and_never_a_hash",
        ),
        "remove": Done(
            "tenant remove",
            f"DELETE {_TENANT}",
            REMOVAL + "test_a_tenant_goes_with_all_that_is_its_own_when_nothing_is_held",
        ),
    },
    "domain": {
        "add": Done(
            "domain add",
            "POST /api/v2/domains",
            "test_api.py: test_quota_counts_and_explain_names_what_binds",
        ),
        "show": Done(
            "domain show",
            "GET /api/v2/domains/{domain}",
            "test_ids.py: test_paths_queries_and_bodies_take_the_number_where_they_take_the_name",
        ),
        "list": Done(
            "domain list",
            "GET /api/v2/domains",
            "test_ids.py: test_the_command_takes_and_shows_the_number",
        ),
        "change": "of a domain its pool alone can be chosen, which is `move`",
        "rename": _IS,
        "move": Done(
            "domain move",
            "POST /api/v2/domains/{domain}/move",
            REMOVAL + "test_a_domain_moves_with_its_held_mail_and_goes_when_none_is_left",
        ),
        "pause": _NO_PAUSE,
        "remove": Done(
            "domain remove",
            "DELETE /api/v2/domains/{domain}",
            REMOVAL + "test_a_domain_moves_with_its_held_mail_and_goes_when_none_is_left",
        ),
    },
    "ip": {
        "add": Done(
            "domain add",
            "POST /api/v2/domains",
            "test_api.py: test_quota_counts_and_explain_names_what_binds",
        ),
        "show": Done(
            "ip show",
            "GET /api/v2/ips/{ip}",
            "test_api.py: test_quota_counts_and_explain_names_what_binds",
        ),
        "list": Done(
            "ip list",
            "GET /api/v2/ips",
            "test_ids.py: test_paths_queries_and_bodies_take_the_number_where_they_take_the_name",
        ),
        "change": Done(
            "ip set",
            "PATCH /api/v2/ips/{ip}",
            "test_api.py: test_quota_counts_and_explain_names_what_binds",
        ),
        "rename": _KEY,
        "move": Done(
            "ip move",
            "POST /api/v2/ips/{ip}/move",
            REMOVAL + "test_an_ip_moves_unless_a_pool_with_domains_would_be_left_without",
        ),
        "pause": Done(
            "ip pause",
            "PATCH /api/v2/ips/{ip}",
            "test_ids.py: test_the_command_takes_and_shows_the_number",
        ),
        "remove": Done(
            "ip remove",
            "DELETE /api/v2/ips/{ip}",
            REMOVAL + "test_an_ip_goes_once_it_is_retired_unused_today_and_not_the_last",
        ),
    },
    "pool": {
        "add": Done("pool add", "POST /api/v2/pools", REMOVAL + "test_a_pool_from_add_to_remove"),
        "show": Done(
            "pool show", "GET /api/v2/pools/{pool}", REMOVAL + "test_a_pool_from_add_to_remove"
        ),
        "list": Done("pool list", "GET /api/v2/pools", REMOVAL + "test_a_pool_from_add_to_remove"),
        "change": Done(
            "pool set", "PATCH /api/v2/pools/{pool}", REMOVAL + "test_a_pool_from_add_to_remove"
        ),
        "rename": _KEY,
        "move": _OF_TENANT,
        "pause": Done(
            "pool pause",
            "POST /api/v2/pools/{pool}/pause",
            "test_ids.py: test_paths_queries_and_bodies_take_the_number_where_they_take_the_name",
        ),
        "remove": Done(
            "pool remove",
            "DELETE /api/v2/pools/{pool}",
            REMOVAL + "test_a_pool_from_add_to_remove",
        ),
    },
    "server": {
        "add": Done(
            "server set",
            "POST /api/v2/servers",
            "test_ids.py: test_the_first_tenant_is_1_and_the_second_2_whatever_was_tried_between",
        ),
        "show": Done(
            "server show",
            "GET /api/v2/servers/{server}",
            REMOVAL + "test_a_server_goes_when_no_ip_is_on_it",
        ),
        "list": Done(
            "server list",
            "GET /api/v2/servers",
            "test_ids.py: test_the_first_tenant_is_1_and_the_second_2_whatever_was_tried_between",
        ),
        "change": Done(
            "server set",
            "POST /api/v2/servers",
            "test_ids.py: test_the_first_tenant_is_1_and_the_second_2_whatever_was_tried_between",
        ),
        "rename": _KEY,
        "move": "it belongs to nothing",
        "pause": "gateways leave one alone by themselves (`server circuits`); its IPs are paused",
        "remove": Done(
            "server remove",
            "DELETE /api/v2/servers/{server}",
            REMOVAL + "test_a_server_goes_when_no_ip_is_on_it",
        ),
    },
    "login": {
        "add": Done(
            "login add",
            f"POST {_TENANT}/logins",
            REMOVAL + "test_several_logins_each_with_its_password_and_the_last_stays",
        ),
        "show": Done("login show", f"GET {_TENANT}/login", _ROTATED),
        "list": Done(
            "login list",
            f"GET {_TENANT}/logins",
            REMOVAL + "test_several_logins_each_with_its_password_and_the_last_stays",
        ),
        "change": Done(
            "login password",
            f"POST {_TENANT}/password",
            "test_api.py: test_a_tenant_from_add_to_password_and_never_a_hash",
        ),
        "rename": _REPLACED,
        "move": _OF_TENANT,
        "pause": _NO_PAUSE,
        "remove": Done(
            "login remove",
            f"DELETE {_TENANT}/logins",
            REMOVAL + "test_several_logins_each_with_its_password_and_the_last_stays",
        ),
    },
    "network": {
        "add": Done(
            "network add", f"POST {_TENANT}/networks", REMOVAL + "test_networks_one_by_one"
        ),
        "show": "`network list` shows all there is of it",
        "list": Done(
            "network list", f"GET {_TENANT}/networks", REMOVAL + "test_networks_one_by_one"
        ),
        "change": _IS,
        "rename": _IS,
        "move": _OF_TENANT,
        "pause": _NO_PAUSE,
        "remove": Done(
            "network remove", f"DELETE {_TENANT}/networks", REMOVAL + "test_networks_one_by_one"
        ),
    },
    "mailbox": {
        "add": Done(
            "mailbox set",
            f"PUT {_TENANT}/mailboxes/{{address}}",
            REMOVAL + "test_a_mailbox_falls_back_to_the_tenants_limits",
        ),
        "show": "`mailbox list` shows all there is of it",
        "list": Done(
            "mailbox list",
            f"GET {_TENANT}/mailboxes",
            REMOVAL + "test_a_mailbox_falls_back_to_the_tenants_limits",
        ),
        "change": Done(
            "mailbox set",
            f"PUT {_TENANT}/mailboxes/{{address}}",
            "test_ids.py: test_paths_queries_and_bodies_take_the_number_where_they_take_the_name",
        ),
        "rename": _IS,
        "move": _OF_TENANT,
        "pause": "a daily maximum of 0 does it",
        "remove": Done(
            "mailbox remove",
            f"DELETE {_TENANT}/mailboxes/{{address}}",
            REMOVAL + "test_a_mailbox_falls_back_to_the_tenants_limits",
        ),
    },
    "suppression": {
        "add": Done("suppression add", f"POST {_SUPPRESSIONS}", _SUPPRESSED),
        "show": Done("suppression show", f"GET {_SUPPRESSIONS}", _SUPPRESSED),
        "list": Done("suppression list", f"GET {_SUPPRESSIONS}", _SUPPRESSED),
        "change": Done(
            "suppression add",
            f"POST {_SUPPRESSIONS}",
            "test_suppressions.py: test_one_is_added_found_changed_and_removed_and_written_down",
        ),
        "rename": _IS,
        "move": "whose mail an address gets no more is part of what it is",
        "pause": "it is taken away, and added again with the end it is to have",
        "remove": Done("suppression remove", f"DELETE {_SUPPRESSIONS}", _SUPPRESSED),
    },
    "secret": {
        "add": _SETTING,
        "show": "`secret list` has all that is known of each",
        "list": Done(
            "secret list",
            "",
            "test_secret_rotation.py: test_a_former_key_signs_until_it_is_taken_away",
        ),
        "change": _SETTING,
        "rename": "its name is the setting's",
        "move": "it is the deployment's",
        "pause": "what it seals would be lost meanwhile",
        "remove": _SETTING,
    },
    "token": {
        "add": Done("token add", "POST /api/v2/tokens", _TOKENS + _ISSUED),
        "show": Done("token list", "GET /api/v2/tokens/{token}", _TOKENS + _ISSUED),
        "list": Done("token list", "GET /api/v2/tokens", _TOKENS + _ISSUED),
        "change": Done("token set", "PATCH /api/v2/tokens/{token}", _TOKENS + _ISSUED),
        "rename": _REPLACED,
        "move": "it is of the tenants that `token set --tenant` names",
        "pause": _REPLACED,
        "remove": Done("token revoke", "DELETE /api/v2/tokens/{token}", _TOKENS + _ISSUED),
    },
    "user": {
        "add": Done("user add", "POST /api/v2/users", _USERS),
        "show": Done("user show", "GET /api/v2/users/{user}", _USERS),
        "list": Done("user list", "GET /api/v2/users", _USERS),
        "change": Done("user set", "PATCH /api/v2/users/{user}", _USERS),
        "rename": "the audit log has what it did by its name: another is added, this one removed",
        "move": "it is of the tenants that `user set --tenant` names",
        "pause": Done("user disable", "PATCH /api/v2/users/{user}", _USERS),
        "remove": Done("user remove", "DELETE /api/v2/users/{user}", _USERS),
    },
}

ALSO = {
    ("plan", "what it had, set again"): Done(
        "plan rollback",
        "POST /api/v2/plans/{plan}/rollback",
        "test_plan_rollback.py: test_the_command_goes_back_and_shows_what_it_set",
    ),
    ("login", "its next password"): Done("login rotate", f"POST {_LOGIN}/rotation", _ROTATED),
    ("login", "its next password, called off"): Done(
        "login rotate", f"DELETE {_LOGIN}/rotation", _ROTATED
    ),
    ("login", "a former password"): Done(
        "login rotate", f"POST {_LOGIN}/rotation/finish", _ROTATED
    ),
    ("user", "its sessions"): Done("user reset", "DELETE /api/v2/users/{user}/sessions", _USERS),
    ("domain", "its DKIM key"): Done(
        "domain rotate",
        "POST /api/v2/domains/{domain}/rotation",
        "test_dkim_rotation.py: "
        "test_a_key_is_replaced_in_stages_and_what_signs_is_always_published",
    ),
    ("domain", "a new DKIM key, called off"): Done(
        "domain rotate",
        "DELETE /api/v2/domains/{domain}/rotation",
        "test_dkim_rotation.py: test_what_is_not_seen_is_an_alert_and_never_switched",
    ),
    ("ip", "its host name"): Done(
        "ip set",
        "PATCH /api/v2/ips/{ip}",
        "test_moving.py: test_the_host_name_of_an_ip_is_changed_where_it_is_its_own",
    ),
    ("ip", "its server"): Done(
        "ip relocate",
        "POST /api/v2/ips/{ip}/server",
        "test_moving.py: "
        "test_an_ip_moves_to_another_server_once_it_is_stopped_and_nothing_is_queued",
    ),
    ("server", "its agent"): Done(
        "server release",
        "DELETE /api/v2/servers/{server}/agent",
        "test_releasing.py: test_an_agent_that_is_gone_is_waited_for_no_more",
    ),
    ("warmup plan", "add"): Done(
        "warmup plan add",
        "POST /api/v2/warmup/plans",
        _PLANS,
    ),
    ("warmup plan", "list"): Done(
        "warmup plan list",
        "GET /api/v2/warmup/plans",
        _PLANS,
    ),
    ("warmup plan", "show"): Done(
        "warmup plan show",
        "GET /api/v2/warmup/plans/{name}",
        _PLANS,
    ),
    ("warmup plan", "remove"): Done(
        "warmup plan remove",
        "DELETE /api/v2/warmup/plans/{name}",
        _PLANS,
    ),
}
"""What a verb does besides what its cell says."""

NO_NOUNS = {
    *("hold", "clock", "ledger", "pmta", "accounting", "audit", "message", "plan", "provider"),
    *("alert", "api", "backup", "blocklist", "job", "warmup"),
}
"""Groups of commands for what an operator does not add."""

DONE = [
    (noun, verb, cell)
    for noun, cells in CELLS.items()
    for verb, cell in cells.items()
    if isinstance(cell, Done)
] + [(noun, what, cell) for (noun, what), cell in ALSO.items()]


@cache
def _commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


@cache
def _tests(file: str) -> set[str]:
    path = ROOT / "tests" / "integration" / "control" / file
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if hasattr(n, "name")}


def test_every_noun_has_a_cell_for_every_verb() -> None:
    assert {noun for noun, cells in CELLS.items() if set(cells) != set(VERBS)} == set()
    groups = {
        name
        for name, command in _commands().items()
        if hasattr(command, "commands") and not command.invoke_without_command
    }
    assert groups - NO_NOUNS == set(CELLS), "a new noun gets its row"


@pytest.mark.parametrize(("noun", "verb", "cell"), DONE)
def test_a_cell_names_what_exists(noun: str, verb: str, cell: Done) -> None:
    group, *words = cell.command.split(" ")
    found = _commands()[group]
    for word in words:
        assert word in found.commands, cell.command
        found = found.commands[word]
    assert cell.route in ROUTES | {""}, cell.route
    file, _, test = cell.test.partition(": ")
    assert test in _tests(file), cell.test


def test_every_route_that_takes_something_away_is_in_a_cell() -> None:
    named = {cell.route for _, _, cell in DONE}
    removals = {route for route in ROUTES if route.startswith("DELETE ")}
    assert removals <= named
