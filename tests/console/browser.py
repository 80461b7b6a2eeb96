"""Chromium, looking at pages and holding against them whatever it complains about."""

import contextlib
import pathlib
import re
import shutil
import urllib.parse

from playwright.sync_api import expect, sync_playwright

from support import Broken, require

HERE = pathlib.Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
# A debug build on a busy machine; a page that never gets there is found out as well.
WAIT_MS_MAX = 20_000
# Of what the driver says about one fault.
LINES_MAX = 12
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
# Root in a container has no sandbox of processes to offer; and nothing but this machine is ever spoken to.
FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=MediaRouter,OptimizationHints,Translate,AutofillServerCommunication",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
]
# Chromium reports each refusal as an error of the page; whether one was expected is known by the request.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
# Who is not signed in learns it by this.
ASKED_WHO = (401, "/api/v1/sessions/current")

expect.set_options(timeout=WAIT_MS_MAX)


@contextlib.contextmanager
def chromium(home):
    """The browser, with a home that goes with it."""
    program = shutil.which("chromium")
    require(program, "Chromium is there: run ./test, or install Debian's package chromium")
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS, env=environment, chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """Somebody with a browser: cookies of their own, and one page. What the page does wrong is kept."""

    def __init__(self, browser, server, screen=None, dark=False):
        self.server = server
        self.faults, self.requests, self.expected = [], [], {ASKED_WHO}
        self.context = browser.new_context(
            base_url=server.url,
            viewport=screen or DESKTOP,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        self.context.set_default_timeout(WAIT_MS_MAX)
        self.page = self.context.new_page()
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda fault: self.faults.append(f"error: {fault}"))
        self.page.on("request", self.asked)
        self.page.on("response", self.answered)
        self.page.on("requestfailed", self.unanswered)

    def heard(self, message):
        if message.type == "error" and not REFUSED.match(message.text):
            self.faults.append(f"console: {message.text}")

    def asked(self, request):
        address = urllib.parse.urlsplit(request.url)
        self.requests.append((request.method, address.path))
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.faults.append(f"request to elsewhere: {request.url}")

    def unanswered(self, request):
        # Who leaves a page does not wait for its answers.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"no answer: {request.method} {request.url}: {request.failure}")

    def answered(self, response):
        path = urllib.parse.urlsplit(response.url).path
        if response.status >= 400 and not self.is_expected(response.status, path):
            self.faults.append(f"answer {response.status}: {response.request.method} {path}")

    def is_expected(self, status, path):
        return any(status == wanted and re.fullmatch(pattern, path) for wanted, pattern in self.expected)

    def expects(self, status, pattern):
        """From now on such an answer is no fault. The pattern is one of the whole path."""
        self.expected.add((status, pattern))

    def go(self, path):
        """Opens a page and waits until it is complete."""
        self.page.goto(path)
        self.complete()

    def complete(self):
        """Waits until the page shows what it has to show, and holds its faults against it."""
        expect(self.page.locator("main:not([aria-busy])")).to_be_visible()
        self.require_sound()

    def settle(self):
        """Waits until nothing is asked for any more, also by what is filled in later."""
        self.complete()
        self.page.wait_for_load_state("networkidle")
        self.require_sound()

    def follow(self, name):
        """A link of the main navigation."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()
        expect(self.heading(name)).to_be_visible()
        self.complete()

    def heading(self, name):
        return self.page.get_by_role("heading", level=1, name=name)

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    @contextlib.contextmanager
    def dialog(self, opener=None):
        """A dialog that this button opens, or that is open, and that closes by what is done within."""
        if opener:
            self.button(opener).click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        yield dialog
        expect(dialog).to_be_hidden()

    def require_sound(self):
        require(not self.faults, "the page does nothing wrong: " + "; ".join(self.faults))

    def require_accessible(self, where):
        """axe finds nothing serious."""
        found = self.page.evaluate(f"{AXE.read_text()};\naxe.run(document, {{resultTypes: ['violations'], preload: false}})")
        serious = [rule for rule in found["violations"] if rule["impact"] in ("serious", "critical")]
        told = [f"{rule['id']} ({rule['help']}): {node['target']} {node['html'][:160]}" for rule in serious for node in rule["nodes"]]
        require(not told, f"everybody can use {where}: " + "; ".join(told))

    def require_fits(self, where):
        """Nothing makes the page wider than the screen."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        require(wide <= 0, f"{where} fits its screen; it is {wide} px wider")

    def picture(self, file):
        """The page as it is on the screen, with nothing added to it: its policy would refuse that."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=file, caret="initial", animations="allow")

    def cookies(self):
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}


def as_promise(fault, faults):
    """What the driver says, as a promise that broke: its first lines tell what was waited for."""
    return Broken("\n".join([*str(fault).splitlines()[:LINES_MAX], *faults]))
