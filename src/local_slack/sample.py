"""A small workspace for tests: two channels, four people, two user groups."""

from typing import Any

from local_slack.config import App, Channel, Config, Limits, Team, User, Usergroup

BOT = "U0BOT"
VIEWER = "U0VIEWER"
OPERATOR = "U0OPERATOR"
ADMIN = "U0ADMIN"
GUEST = "U0GUEST"
EVERYONE = (BOT, VIEWER, OPERATOR, ADMIN, GUEST)

OPS = "C0OPS"
RANDOM = "C0RANDOM"
SHARED = "C0SHARED"
ARCHIVED = "C0ARCHIVED"
SECRET = "C0SECRET"  # noqa: S105 - a private channel the bot is not in
GROUP = "C0GROUP"

ALL_SCOPES = (
    "commands",
    "chat:write",
    "channels:read",
    "channels:history",
    "groups:read",
    "groups:history",
    "im:history",
    "im:read",
    "im:write",
    "users:read",
    "usergroups:read",
)


def build_sample_config(
    *,
    mode: str = "http",
    limits: Limits | None = None,
    team: dict[str, Any] | None = None,
    more_users: tuple[User, ...] = (),
    **app: Any,
) -> Config:
    """Return the workspace; `team` and the other words change fields of `Team` and `App`."""
    return Config(
        workspace=Team(**{"team_id": "T0LOCAL", **(team or {})}),
        channels=(
            Channel(OPS, "ops", EVERYONE),
            Channel(RANDOM, "random", (VIEWER, OPERATOR)),
            Channel(SHARED, "partners", EVERYONE, is_ext_shared=True),
            Channel(ARCHIVED, "old", EVERYONE, is_archived=True),
            Channel(SECRET, "secret", (ADMIN,), is_private=True),
            Channel(GROUP, "mpdm-otto--ada--gus-1", (OPERATOR, ADMIN, GUEST), is_mpim=True),
        ),
        users=(
            User(VIEWER, "vera"),
            User(OPERATOR, "otto"),
            User(ADMIN, "ada"),
            User(GUEST, "gus", is_restricted=True),
            *more_users,
        ),
        usergroups=(
            Usergroup("S0OPERATORS", "operators", (OPERATOR,)),
            Usergroup("S0ADMINS", "admins", (ADMIN,)),
        ),
        app=App(
            **{
                "mode": mode,
                "bot_token": "xoxb-local",
                "app_token": "xapp-local",
                "signing_secret": "local-signing-secret",
                "bot_user_id": BOT,
                "bot_scopes": ALL_SCOPES,
                **app,
            }
        ),
        limits=limits or Limits(),
    )
