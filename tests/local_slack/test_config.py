import copy

import pytest

from local_slack import ConfigError, load_config, parse_config

TABLE = {
    "workspace": {"team_id": "T1"},
    "channels": [{"id": "C1", "name": "ops", "members": ["U1", "UB"]}],
    "users": [{"id": "U1", "name": "vera", "is_restricted": True}],
    "usergroups": [{"id": "S1", "handle": "ops", "users": ["U1"]}],
    "app": {
        "bot_token": "xoxb-1",
        "app_token": "xapp-1",
        "bot_user_id": "UB",
        "signing_secret": "s",
        "mode": "socket",
    },
}


def changed(**tables):
    table = copy.deepcopy(TABLE)
    for name, values in tables.items():
        if isinstance(values, dict):
            table.setdefault(name, {}).update(values)
        else:
            table[name] = values
    return table


def test_a_workspace_file_is_read_with_its_defaults(tmp_path):
    path = tmp_path / "workspace.toml"
    path.write_text(
        '[workspace]\nteam_id = "T1"\n'
        '[app]\nbot_token = "xoxb-1"\nbot_user_id = "UB"\nsigning_secret = "s"\n'
        'mode = "http"\nrequest_url = "http://127.0.0.1:3000/slack/events"\n'
        "[limits]\nburst = 5\n"
    )

    config = load_config(path)

    assert config.app.commands == ("/jobs",)
    assert config.limits.burst == 5
    assert config.limits.ack_seconds == 3.0


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (changed(app={"mode": "smoke"}), 'app.mode is \'smoke\'; it must be "http" or "socket"'),
        (changed(app={"mode": "http"}), "set app.request_url"),
        (changed(app={"mode": "http", "request_url": "ftp://x"}), "must be an http:// URL"),
        (changed(app={"bot_token": "abc"}), "app.bot_token must start with xoxb-"),
        (changed(app={"app_token": ""}), "app.app_token must be set"),
        (changed(app={"signing_secret": " "}), "app.signing_secret is empty"),
        (changed(app={"commands": ["jobs"]}), "the command 'jobs' must start with /"),
        (changed(app={"commands": ["/" + "j" * 32]}), "at most 32 characters"),
        (changed(app={"commands": "/jobs"}), "app.commands must be a list"),
        (changed(app={"colour": "red"}), "app has the unknown key 'colour'"),
        (changed(workspace={"team_id": 7}), "workspace.team_id must be of type str, not 7"),
        (changed(limits={"burst": 0}), "limits.burst must be at least 1"),
        (changed(limits={"burst": True}), "limits.burst must be of type int, not True"),
        (changed(users=[{"id": "U1"}]), "users[0] has no 'name'"),
        (changed(users=[{"id": "U1", "name": "a"}] * 2), "user U1 is defined twice"),
        (changed(users=[]), "channel C1 names the user U1, who is not defined under users"),
        (changed(users="vera"), "users must be a list"),
        (
            changed(channels=[{"id": "C2", "name": "mpdm-ana--ben-1"}]),
            "channel C2 is named 'mpdm-ana--ben-1': the names of group messages (is_mpim)",
        ),
        (changed(channels=[{"id": "C2", "name": "ops", "is_mpim": True}]), "start with mpdm-"),
    ],
)
def test_a_workspace_that_makes_no_sense_is_refused_with_its_place(table, sentence):
    with pytest.raises(ConfigError) as caught:
        parse_config(table)

    assert sentence in str(caught.value)


def test_a_file_that_is_not_there_or_not_toml_is_refused_with_its_name(tmp_path):
    path = tmp_path / "workspace.toml"
    with pytest.raises(ConfigError, match=r"workspace\.toml: cannot be read: No such file"):
        load_config(path)

    path.write_text("[workspace")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_config(path)


def test_a_bad_value_in_a_file_is_refused_with_the_files_name(tmp_path):
    path = tmp_path / "workspace.toml"
    path.write_text('[workspace]\nteam_id = "T1"\n')

    with pytest.raises(ConfigError, match=r"workspace\.toml: the file has no 'app'"):
        load_config(path)
