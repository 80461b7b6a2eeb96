// One identity: its role, its projects, and how it signs in.

import { api } from "../api.js";
import { h } from "../dom.js";
import { action, allAccounts, allProjects, ask, onceDone, region, removal, text } from "../parts.js";
import { go } from "../router.js";
import { when } from "../time.js";
import { card, check, empty, facts, field, heading, select, table } from "../ui.js";
import { addToProject, membershipActions, ORGANIZATION_ROLES, rolesOf } from "./memberships.js";
import { leftBehindBy } from "./organization_projects.js";
import { universalAuth } from "./universal_auth.js";

/** The page of one identity. */
export async function render({ params, session }) {
  const path = `/api/v1/identities/${params.id}`;
  const [{ identity: found }, accounts] = await Promise.all([api.get(path), allAccounts()]);
  const { identity, role } = found;
  // A person's account has its name, and is removed under People.
  const account = accounts.find(({ identityId }) => identityId === identity.id);
  const again = () => go(location.pathname, { replace: true });
  // What a person does is on record under the account.
  const actor = account?.id ?? identity.id;
  const isOwn = identity.id === session.identity.id;
  const signsInByToken = identity.authMethods.length > 0 && !identity.authMethods.includes("universal-auth");
  return [
    heading(identity.name,
      action("Edit", onceDone(() => edit(found, path, !account), again)),
      !isOwn && !account && action("Delete", () => remove(identity, path, session), "danger")),
    h("section.card", { "aria-label": "About" }, facts([
      ["Role in the organization", role],
      ["Signs in by", account ? (account.hasPassword ? "a password" : "nothing yet: invited") : identity.authMethods.join(", ") || "nothing yet"],
      ["Delete protection", identity.hasDeleteProtection ? "on" : null],
      ["Made", when(found.createdAt)],
      ["Id", h("code", {}, identity.id)],
      ["What it did", h("a", { href: `/audit?actor=${actor}` }, "Audit log")],
    ])),
    projects(identity),
    signsInByToken || account ? null : card("Universal Auth", universalAuth(identity, again)),
  ];
}

function projects(identity) {
  const list = region(async () => {
    const { identityMemberships } = await api.get(`/api/v1/identities/${identity.id}/identity-memberships`);
    const add = action("Add to a project", () => enter(identityMemberships), "primary");
    return [
      table("Projects", [
        ["Project", ({ project }) => h("a", { href: `/access?section=projects&projectId=${project.id}` }, project.name)],
        ["Roles", rolesOf],
        ["Since", ({ createdAt }) => when(createdAt)],
        ["Actions", (membership) => membershipActions(membership, list.reload)],
      ], identityMemberships, empty("In no project yet: it sees no project and reads no secret, whatever its role in the organization.")),
      h("p", {}, add),
    ];
  });
  async function enter(memberships) {
    const others = (await allProjects()).filter(({ id }) => !memberships.some(({ project }) => project.id === id));
    if (others.length === 0) throw new Error("It is in every project that you may see.");
    if (await addToProject(identity, others)) await list.reload();
  }
  return card("Projects", list.place);
}

function edit({ identity, role }, path, isMachine) {
  const isKept = check("Protect it from being deleted", { checked: identity.hasDeleteProtection });
  return ask({
    title: `Edit ${identity.name}`,
    content: [
      isMachine && text("name", "Name", { value: identity.name, required: true }),
      field("Role in the organization", select("role", ORGANIZATION_ROLES, role)),
      isMachine && isKept,
    ],
    button: "Save",
    act: (values) => api.patch(path, isMachine ? { ...values, hasDeleteProtection: isKept.querySelector("input").checked } : values),
  });
}

async function remove(identity, path, session) {
  const left = session.identity.role === "admin" ? await leftBehindBy(identity.id) : "";
  const done = await removal({
    title: `Delete ${identity.name}?`,
    text: `Its tokens and client secrets end at once: programs that use them are refused. What it did stays in the audit log. ${left}`.trim(),
    path,
    done: `${identity.name} is deleted`,
  });
  if (done) go("/access?section=identities");
}
