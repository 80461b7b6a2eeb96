"""How a connection to AWS comes about, and what the page says when AWS refuses it."""

import json
import re

from playwright.sync_api import expect

from rotating import choose
from stage import section
from support import ROTATIONS, require

CONNECTIONS = "/api/v1/app-connections/aws"
WRONG_SECRET = "of another key, but just as long as it is"
# What is wrong at AWS, and what the page advises then.
ADVICE = {
    "accessDenied": "Look at the policies of the principal",
    "signatureMismatch": "give the connection both again",
    "unavailable": "Look whether this server reaches sts.amazonaws.com",
}
# As the page marks what it cannot know.
GAP = re.compile("<account>")


def role(stage):
    """What the page says is all that AWS needs: a role that is made of it, and of nothing else, serves a rotation."""
    own = stage.aws.connection
    stage.server.program.stop()
    stage.server.restart(AWS_ACCESS_KEY_ID=own["accessKeyId"], AWS_SECRET_ACCESS_KEY=own["secretAccessKey"])
    api = stage.set_up()
    stage.aws.user("app")
    visitor = begun(stage)
    choose(visitor.page, re.compile("^Assume role"))
    permissions, trust = pasted(visitor, "Copy the permissions policy"), pasted(visitor, "Copy the trust policy")
    arn = made_of(stage.aws, permissions, trust)
    visitor.page.get_by_label("Name", exact=True).fill("production")
    visitor.page.get_by_label("ARN of the role").fill(arn)
    visitor.button("Create the connection").click()
    expect(visitor.heading("production")).to_be_visible()
    with api.as_administrator():
        (connection,) = api.ok("GET", CONNECTIONS)["appConnections"]
    rotation = api.ok("POST", ROTATIONS, api.rotation(connection["id"]))["secretRotation"]["id"]
    api.rotate(rotation)
    api.rotate(rotation)
    require(stage.aws.accepts(api.published()), "a key is rotated through it, and an earlier one deleted")

    visitor.page.get_by_label("Only for the IAM user with this ARN").fill(user_of(stage.aws, "app"))
    visitor.button("Narrow the policy").click()
    expect(policy(visitor, "Copy the permissions policy")).to_contain_text(user_of(stage.aws, "app"))


def begun(stage):
    visitor = stage.signed_in()
    visitor.follow("Connections")
    visitor.page.get_by_role("main").get_by_role("link", name="New connection").click()
    expect(visitor.heading("New connection")).to_be_visible()
    return visitor


def policy(visitor, button):
    """The text that this button copies."""
    return visitor.page.locator("div", has=visitor.button(button)).last.get_by_role("code")


def pasted(visitor, button):
    return policy(visitor, button).inner_text()


def user_of(aws, name):
    return aws.control("GET", f"/users/{name}")["user"]["arn"]


def made_of(aws, permissions, trust):
    """A role of these policies, as somebody makes it in the IAM console; its ARN."""
    require(GAP.search(permissions), f"the page does not guess the account: {permissions}")
    account = user_of(aws, "keywheel").split(":")[4]
    (trusted,) = json.loads(trust)["Statement"]
    wanted = {
        "roleName": "keywheel",
        "principal": trusted["Principal"]["AWS"],
        "externalId": trusted["Condition"]["StringEquals"]["sts:ExternalId"],
        "policy": json.loads(GAP.sub(account, permissions)),
    }
    return aws.control("POST", "/roles", wanted)["arn"]


def refused(stage):
    api = stage.set_up()
    visitor = begun(stage)
    warning = visitor.page.get_by_text("Every member of the organization can use it")
    expect(warning).to_be_visible()
    visitor.page.get_by_label("For").select_option("Only Story")
    expect(warning).to_be_hidden()
    visitor.page.get_by_label("For").select_option("The whole organization")
    expect(warning).to_be_visible()
    choose(visitor.page, re.compile("^Access key"))
    expect(policy(visitor, "Copy the permissions policy")).to_contain_text("iam:CreateAccessKey")
    expect(visitor.button("Copy the trust policy")).to_have_count(0)
    visitor.page.get_by_label("Name", exact=True).fill("production")
    visitor.page.get_by_label("Access key id").fill(stage.aws.connection["accessKeyId"])
    secret = visitor.page.get_by_label("Secret access key")
    secret.fill(WRONG_SECRET)
    visitor.expects(400, CONNECTIONS)
    visitor.button("Create the connection").click()
    expect(visitor.page.get_by_role("alert").filter(has_text="Check your AWS Secret Access Key")).to_be_visible()
    with api.as_administrator():
        require(not api.ok("GET", CONNECTIONS)["appConnections"], "what AWS refuses is not kept")
    secret.fill(stage.aws.connection["secretAccessKey"])
    visitor.button("Create the connection").click()
    expect(visitor.heading("production")).to_be_visible()


def failed_test(stage):
    api = stage.set_up()
    connection = api.connect("production")
    visitor = stage.signed_in()
    visitor.go(f"/connections/{connection['id']}")
    test = section(visitor, "Test")
    for kind, advice in ADVICE.items():
        stage.aws.control("POST", "/faults", {"kind": kind, "action": "GetCallerIdentity", "forever": True})
        visitor.button("Test the connection").click()
        expect(test).to_contain_text(advice)
        for other in set(ADVICE.values()) - {advice} | {"AWS refused"}:
            expect(test).not_to_contain_text(other)
        stage.aws.control("DELETE", "/faults")
        visitor.button("Test the connection").click()
        expect(test).to_contain_text("It works")
        expect(test).not_to_contain_text(advice)


STORIES = [
    ("a role that is made of the policies on the page serves a rotation", role),
    ("a connection that AWS refuses is not kept, and the page says why", refused),
    ("a failed test of a connection says what to do", failed_test),
]
