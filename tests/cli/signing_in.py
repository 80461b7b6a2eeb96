"""Logins: what is asked on a terminal, what a job gives, what is kept."""

import json

from stage import Stage
from support import require


def from_a_job(binary, folder):
    """Without a terminal nothing is asked: the refusal names the flag. The secret comes from standard input."""
    stage = Stage(binary, folder)
    client, secret = stage.api.deployer["clientId"], stage.api.deployer["clientSecret"]
    nobody = stage.environment()
    stage.refused(3, "keywheel login", "rotations", "list", environment=nobody)
    stage.refused(2, "--secret-stdin", "login", "--url", stage.server.url, client, environment=nobody)
    stage.refused(2, "--url", "login", client, environment=nobody)
    stage.refused(3, "does not accept", "login", "--url", stage.server.url, client, "--secret-stdin",
                  stdin="wrong\n", environment=nobody)
    stage.good("login", "--url", stage.server.url, client, "--secret-stdin", stdin=secret + "\n", environment=nobody)
    kept = folder / "config" / "keywheel" / "login.json"
    require(kept.stat().st_mode & 0o777 == 0o600, "the login is for its owner only")
    require(kept.parent.stat().st_mode & 0o777 == 0o700, "its folder, too")
    require(secret not in kept.read_text(), "the client secret is kept only on request")
    who = stage.json("whoami", environment=nobody)
    require(who["identity"]["name"] == "deployer", f"whoami tells who: {who}")

    # Whoever gave a token may need it further on.
    stage.good("login", "--url", stage.server.url, "--with-token", stdin=stage.api.token, environment=nobody)
    stage.good("logout", environment=nobody)
    stage.api.ok("GET", "/api/v1/projects")
    seen = stage.json("status", "--url", stage.server.url, environment=nobody)
    require(seen["ready"] is True, f"whether a server is ready can be asked without a login: {seen}")
    stage.good("login", "--url", stage.server.url, client, "--secret-stdin", stdin=secret, environment=nobody)

    # A login is for one server: its token goes to no other.
    elsewhere = stage.environment(KEYWHEEL_URL="http://127.0.0.1:1")
    stage.refused(3, "not to http://127.0.0.1:1", "rotations", "list", environment=elsewhere)
    stage.refused(2, "--insecure-http", "login", "--url", "http://keywheel.example", client, environment=nobody)

    token = json.loads(kept.read_text())["accessToken"]
    stage.good("logout", environment=nobody)
    require(not kept.exists(), "a logout forgets the login")
    stage.refused(3, "not signed in", "whoami", environment=nobody)
    stage.refused(3, "keywheel login", "whoami",
                  environment=stage.environment(KEYWHEEL_URL=stage.server.url, KEYWHEEL_TOKEN=token))


def a_remembered_login(binary, folder):
    """A login that ended is made again if its secret was remembered; the new token is kept."""
    stage = Stage(binary, folder)
    client, secret = stage.api.deployer["clientId"], stage.api.deployer["clientSecret"]
    nobody = stage.environment()
    stage.good("login", "--url", stage.server.url, client, "--secret-stdin", "--remember", stdin=secret,
               environment=nobody)
    kept = folder / "config" / "keywheel" / "login.json"
    login = json.loads(kept.read_text())
    stage.api.ok("POST", "/api/v1/auth/token/revoke", {"accessToken": login["accessToken"]})
    stage.good("rotations", "list", environment=nobody)
    require(json.loads(kept.read_text())["accessToken"] != login["accessToken"], "the new token is kept")


def on_a_terminal(binary, folder):
    """On a terminal what is missing is asked for, and a secret is not shown."""
    stage = Stage(binary, folder)
    client, secret = stage.api.deployer["clientId"], stage.api.deployer["clientSecret"]
    nobody = stage.environment()
    typed = stage.typed("login", environment=nobody)
    typed.shows("Address of the server").types(stage.server.url)
    typed.shows("Client id").types(client)
    typed.shows("Client secret").types(secret)
    shown = typed.shows("signed in").ends(0)
    require(secret not in shown, f"a secret is not shown: {shown!r}")

    # A login that ended is asked for again, where somebody is.
    kept = folder / "config" / "keywheel" / "login.json"
    token = json.loads(kept.read_text())["accessToken"]
    stage.api.ok("POST", "/api/v1/auth/token/revoke", {"accessToken": token})
    stage.refused(3, "keywheel login", "rotations", "list", environment=nobody)
    typed = stage.typed("rotations", "list", environment=nobody)
    typed.shows("Client secret").types(secret)
    typed.shows("rotate-app").ends(0)


STORIES = [
    ("a job signs in", from_a_job),
    ("a remembered login is made again", a_remembered_login),
    ("somebody signs in on a terminal", on_a_terminal),
]
