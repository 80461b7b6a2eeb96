"""What holds on every page: anybody can use it, it fits its screen, it asks for nothing while nothing happens."""

import functools

from PIL import Image
from playwright.sync_api import expect

from browser import DESKTOP, PHONE
from furnished import furnish
from stage import PICTURES, sign_in, what_to_do
from support import EMAIL, PASSWORD, require

LOOKS = {
    "light": {"screen": DESKTOP},
    "dark": {"screen": DESKTOP, "dark": True},
    "phone": {"screen": PHONE},
}
# Of a minute without anything to do, and of one in which something runs.
MINUTE_MS = 60_000
POLL_MS_MIN = 2_000
TABS_MAX = 120
# Of one picture that the documentation shows.
PICTURE_BYTES_MAX = 120_000
COLOURS = 128


def looked_at(stage, look, keep):
    """Every page, as it looks; the pictures are kept."""
    visitor = stage.visitor(**LOOKS[look])
    visitor.go(stage.setup_link())
    expect(visitor.heading("Set up Keywheel")).to_be_visible()
    examine(visitor, look, "setup", keep)
    house = furnish(stage)
    for name, path in house.doors.items():
        visitor.go(path)
        examine(visitor, look, name, keep)
    visitor = stage.signed_in(**LOOKS[look])
    for name, path in house.pages.items():
        visitor.go(path)
        examine(visitor, look, name, keep)
    visitor.go(house.pages["rotation"])
    what_to_do(visitor, "Rotate now").click()
    expect(visitor.page.get_by_role("dialog").get_by_text("This would work")).to_be_visible()
    examine(visitor, look, "dialog", keep)


def examine(visitor, look, name, keep):
    visitor.settle()
    visitor.picture(PICTURES / look / f"{name}.png")
    visitor.require_accessible(f"{name} ({look})")
    visitor.require_fits(f"{name} ({look})")
    if keep and (look == "light" or (name, look) in KEPT_TOO):
        kept(visitor, keep / (f"{name}.png" if look == "light" else f"{name}-{look}.png"))


# Besides every page in light.
KEPT_TOO = {("overview", "dark"), ("rotation", "dark"), ("overview", "phone"), ("rotation", "phone")}


def kept(visitor, file):
    """The picture with as few colours as can be seen in it, which makes it small."""
    visitor.picture(file)
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    require(size <= PICTURE_BYTES_MAX, f"{file.name} is small enough to be kept: {size} bytes")


# axe takes half a minute for all operations, which are drawn alike: of each part the first one stays.
ONE_OF_EACH = """() => {
  for (const more of document.querySelectorAll("main article:not(:first-of-type)")) more.remove();
}"""


def api_page(stage):
    for look, how in LOOKS.items():
        visitor = stage.visitor(**how)
        visitor.go("/api/docs")
        visitor.require_fits(f"the page of the API ({look})")
        visitor.page.evaluate(ONE_OF_EACH)
        visitor.require_accessible(f"the page of the API ({look})")


def quiet(stage):
    """Nothing is asked for while nothing happens, however long a page is open."""
    house = furnish(stage)
    visitor = stage.visitor()
    visitor.page.clock.install()
    visitor.go("/")
    sign_in(visitor)
    for name, path in house.pages.items():
        visitor.go(path)
        visitor.settle()
        visitor.requests.clear()
        visitor.page.clock.run_for(MINUTE_MS)
        visitor.settle()
        require(not visitor.requests, f"{name} asks for nothing while nothing happens: {visitor.requests}")


def patient(stage):
    """While something runs, it is looked at every two seconds at most."""
    stage.set_up()
    rotation = stage.rotation("app")
    visitor = stage.visitor()
    visitor.page.clock.install()
    visitor.go("/")
    sign_in(visitor)
    visitor.go(f"/rotations/{rotation}")
    stage.aws.control("POST", "/faults", {"kind": "latency", "forever": True, "delayMs": 1_500})
    what_to_do(visitor, "Rotate now").click()
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Rotate now").click()
    expect(dialog).to_be_hidden()
    visitor.requests.clear()
    visitor.page.clock.run_for(MINUTE_MS)
    asked = [path for method, path in visitor.requests if method == "GET"]
    require(asked, "what runs is looked at")
    for path in set(asked):
        require(asked.count(path) <= MINUTE_MS / POLL_MS_MIN + 1, f"{path} is asked for every two seconds at most: {asked.count(path)} times")


def keyboard(stage):
    api = stage.set_up()
    rotation = stage.rotation("app")
    before = api.published()["accessKeyId"]
    visitor = stage.visitor()
    visitor.go("/")
    keys = visitor.page.keyboard
    keys.type(EMAIL)
    tab_to(visitor, "Password")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(visitor.heading("Overview")).to_be_visible()
    tab_to(visitor, "Rotations")
    keys.press("Enter")
    expect(visitor.heading("Rotations")).to_be_visible()
    tab_to(visitor, "rotate-app")
    keys.press("Enter")
    expect(visitor.heading("rotate-app")).to_be_visible()
    tab_to(visitor, "Rotate now")
    keys.press("Enter")
    with visitor.dialog() as dialog:
        tab_to(visitor, "Cancel")
        keys.press("Escape")
    expect(what_to_do(visitor, "Rotate now")).to_be_focused()
    keys.press("Enter")
    with visitor.dialog() as dialog:
        expect(dialog.get_by_text("This would work")).to_be_visible()
        tab_to(visitor, "Cancel")
        tab_to(visitor, "Rotate now")
        keys.press("Enter")
    expect(visitor.page.get_by_role("status").filter(has_text="Rotated")).to_be_visible()
    require(api.published()["accessKeyId"] != before, "a new key is published")
    require(stage.found(rotation)["rotationStatus"] == "success", "without a mouse")


def tab_to(visitor, name):
    """Presses Tab until something of this name has the focus, and that can be seen."""
    passed = []
    for _ in range(TABS_MAX):
        visitor.page.keyboard.press("Tab")
        has = visitor.page.evaluate(FOCUSED)
        if has["name"] == name:
            require(has["outline"] != "none", f"it can be seen that {name} has the focus")
            return
        passed.append(has["name"])
    require(False, f"{name} is reached by Tab; these are: {passed}")


FOCUSED = """() => {
  const at = document.activeElement;
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent;
  return { name: name.trim(), outline: getComputedStyle(at).outlineStyle };
}"""


def skip_link(stage):
    """Who uses a keyboard gets past the navigation at once."""
    stage.set_up()
    visitor = stage.signed_in()
    visitor.go("/rotations")
    visitor.page.keyboard.press("Shift+Tab")
    visitor.page.evaluate("document.activeElement.blur()")
    link = visitor.page.get_by_role("link", name="Skip to content")
    link.focus()
    expect(link).to_be_in_viewport()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("main")).to_be_focused()


def stories(keep):
    for look in LOOKS:
        yield f"everybody can use every page, {look}", functools.partial(looked_at, look=look, keep=keep)
    yield "everybody can use the page of the API", api_page
    yield "nothing is asked for while nothing happens", quiet
    yield "what runs is looked at every two seconds at most", patient
    yield "a key is rotated without a mouse", keyboard
    yield "the navigation can be skipped", skip_link
