"""What a story of the console finds: an AWS, a server that nobody has set up, and people with browsers."""

import base64
import hashlib
import hmac
import pathlib
import re
import struct
import time

from playwright.sync_api import Error, expect

from browser import Visitor, as_promise
from support import EMAIL, PASSWORD, ROTATIONS, Api, Sandbox, Server, call, until

PICTURES = pathlib.Path("target") / "console-screenshots"
SETUP_LINK = re.compile(r"https?://\S+(/setup#[A-Za-z0-9._~-]+)")
COOKIE, CSRF = "keywheel_session", "X-Keywheel-CSRF"
CODE_SECONDS = 30
# What failed stays so for long enough to be mended by somebody, AWS may be slow, and webhooks are told on this machine.
SETTINGS = {
    "KEYWHEEL_CALL_TIMEOUT": "10s",
    "KEYWHEEL_LEASE": "60s",
    "KEYWHEEL_RETRY_FIRST": "1m",
    "KEYWHEEL_RETRY_CAP": "1m",
    "KEYWHEEL_WEBHOOKS_ALLOW_INTERNAL": "true",
}


class Stage:
    def __init__(self, browser, binary, folder):
        self.browser = browser
        self.aws = Sandbox(binary, folder)
        self.server = Server(binary, folder, self.aws, SETTINGS)
        self.api = None
        self.visitors = []

    def setup_link(self):
        """What the server said at its first start, without its host."""

        def attempt():
            found = SETUP_LINK.search(self.server.program.output())
            return found and found[1]

        return until("the server prints a link to set it up", attempt)

    def set_up(self, organization="Stories", project="Story"):
        """The first account, and an identity, both of which administer a project."""
        self.api = api = Api(self.server, organization, project)
        admit_people(api)
        return api

    def visitor(self, **looks):
        visitor = Visitor(self.browser, self.server, **looks)
        self.visitors.append(visitor)
        return visitor

    def signed_in(self, **looks):
        visitor = self.visitor(**looks)
        visitor.go("/")
        sign_in(visitor)
        return visitor

    def rotation(self, user="app", keys=0, **more):
        """A user at AWS, and a rotation of it; the id of that."""
        self.aws.user(user, keys)
        with self.api.as_administrator():
            known = self.api.ok("GET", "/api/v1/app-connections/aws")["appConnections"]
        connection = known[0]["id"] if known else self.api.connect("production")["id"]
        wanted = self.api.rotation(connection, user, **more)
        return self.api.ok("POST", ROTATIONS, wanted)["secretRotation"]["id"]

    def found(self, rotation):
        return self.api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]

    def as_visitor(self, visitor, method, path, body=None, token=None, cookies=None):
        """Status and body of a request with the cookies of somebody, sent from outside of the browser."""
        cookies = visitor.cookies() if cookies is None else cookies
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        if token:
            headers[CSRF] = token
        return call(method, self.server.url + path, body, headers=headers)

    def close(self):
        for visitor in self.visitors:
            visitor.context.close()


def admit_people(api):
    """Makes everybody an administrator of the project."""
    with api.as_administrator():
        for account in api.ok("GET", "/api/v1/accounts")["accounts"]:
            # Signed in, an account is an identity of its own: not the one that the project was made with.
            membership = f"/api/v2/workspace/{api.project}/identity-memberships/{account['identityId']}"
            api.ok("POST", membership, {"role": "admin"})


def told(browser, name, story, binary, folder):
    """Tells a story on a stage of its own. If it breaks, what everybody saw last is kept."""
    stage = Stage(browser, binary, folder)
    try:
        story(stage)
        for visitor in stage.visitors:
            visitor.require_sound()
    except Exception as fault:
        for number, visitor in enumerate(stage.visitors):
            visitor.picture(PICTURES / "broken" / f"{name.replace(' ', '-')}-{number}.png")
        if isinstance(fault, (Error, AssertionError)):
            faults = [told for visitor in stage.visitors for told in visitor.faults]
            raise as_promise(fault, faults) from None
        raise
    finally:
        stage.close()


def sign_in(visitor, password=PASSWORD, email=EMAIL):
    fill_in(visitor, password, email)
    expect(visitor.button("Sign out")).to_be_visible()
    visitor.complete()


def fill_in(visitor, password=PASSWORD, email=EMAIL):
    """Sends the form of signing in."""
    visitor.page.get_by_label("E-mail").fill(email)
    visitor.page.get_by_label("Password", exact=True).fill(password)
    visitor.button("Sign in").click()


def code_of(secret, steps=0):
    """The code of a second factor, as RFC 6238 has it: now, or so many steps from now."""
    counter = int(time.time() // CODE_SECONDS) + steps
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFF_FFFF) % 1_000_000:06}"


def section(visitor, title):
    """A part of the page, by its heading."""
    heading = visitor.page.get_by_role("heading", level=2, name=title)
    return visitor.page.locator("section").filter(has=heading)


def what_to_do(visitor, button):
    """One of the buttons of a rotation."""
    return visitor.page.get_by_role("group", name="What to do with the rotation").get_by_role("button", name=button, exact=True)


def run_of(visitor):
    """The latest run of a rotation."""
    return section(visitor, "Runs").get_by_role("list").first.get_by_role("listitem").first
