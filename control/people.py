"""What people and admins ask of themselves and each other, put together."""

from control.api.auth import AuthApi
from control.api.route import Route
from control.api.tokens import TokensApi
from control.api.users import UsersApi
from control.parts import Parts
from control.users.desk import Desk
from control.users.issuing import Issuing
from control.users.people import People


def people_routes(parts: Parts) -> list[Route]:
    """What the API answers of them."""
    gate, settings = parts.gate, parts.settings
    desk = Desk(parts.pool, gate.credentials, gate.moment)
    apis = (
        AuthApi(gate.entry, gate.credentials),
        UsersApi(People(desk, settings.people, settings.alerts)),
        TokensApi(Issuing(desk)),
    )
    return [route for api in apis for route in api.routes()]
