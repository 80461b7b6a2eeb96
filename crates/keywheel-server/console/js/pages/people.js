// The accounts of people.

import { api } from "../api.js";
import { h } from "../dom.js";
import { action, ask, onceDone, region, removal, shownOnce, text } from "../parts.js";
import { dateText, when } from "../time.js";
import { badge, card, confirm, field, select, table } from "../ui.js";
import { ORGANIZATION_ROLES } from "./memberships.js";
import { leftBehindBy } from "./organization_projects.js";

/** The section of people. */
export function people(session) {
  if (session.identity.role !== "admin") return card("People", h("p", {}, "Administrators of the organization see, invite and remove people."));
  const link = h("div", {});
  const show = (title, { path, expiresAt }) => link.replaceChildren(shownOnce(title, `${location.origin}${path}`,
    `Hand it over yourself, by a way that you trust. It works once, until ${dateText(expiresAt)}, and is not shown again.`));
  const list = region(async () => {
    const { accounts } = await api.get("/api/v1/accounts");
    return table("People", [
      ["E-mail", ({ id, email }) => [email, id === session.account.id && h("span.faint", {}, " (you)")]],
      // Who has never signed in may have no identity yet.
      ["Role", ({ role, superAdmin, identityId }) => [identityId ? h("a", { href: `/access/identities/${identityId}` }, role) : role, superAdmin && h("div.faint", {}, "of the instance")]],
      ["State", stateOf],
      ["Since", ({ createdAt }) => when(createdAt)],
      ["Actions", (account) => actions(account, session, show, list.reload)],
    ], accounts);
  });
  return h("section.card.stack", {},
    h("div.heading", {}, h("h2", {}, "People"), action("Invite somebody", () => invite(show, list.reload), "primary")),
    h("p", {}, "Everybody has an identity of their own; its role and its projects are behind the role."),
    link,
    list.place);
}

function stateOf({ hasPassword, totpEnabled }) {
  if (!hasPassword) return badge("warn", "invited");
  return totpEnabled ? badge("ok", "two factors") : badge("plain", "password only");
}

function actions(account, session, show, reload) {
  const { id, email, hasPassword } = account;
  const newLink = async () => {
    const done = await confirm({
      title: `New link for ${email}?`,
      content: h("p", {}, hasPassword ? "With it a new password can be set, which switches two-factor sign-in off. The present password works until then." : "The link that was given before ends."),
      button: "Make the link",
      act: () => api.post(`/api/v1/accounts/${id}/link`),
    });
    if (done) show(`One-time link for ${email}`, done.link);
  };
  return h("div.actions", {},
    // One's own password is changed with the present one, under the account.
    id !== session.account.id && action(hasPassword ? "Make a reset link" : "Make a new link", newLink, "quiet.small", `for ${email}`),
    id !== session.account.id && action("Remove", onceDone(() => remove(account), reload), "quiet.small", email));
}

async function invite(show, reload) {
  const done = await ask({
    title: "Invite somebody",
    content: [
      text("email", "E-mail", { type: "email", required: true }),
      field("Role in the organization", select("role", ORGANIZATION_ROLES, "no-access"), "No access is enough for who works in projects that others add them to. Members also make projects of their own, and rotations in them through every connection that is for the whole organization: give Member to who may rotate all that those connections reach."),
      h("p.hint", {}, "Whatever the role, they see no project until they are added to it, under ", h("a", { href: "/access?section=projects" }, "Projects"), "."),
      h("p.hint", {}, "Nothing is sent: you get a one-time link to hand over."),
    ],
    button: "Make the link",
    act: (values) => api.post("/api/v1/accounts", values),
  });
  if (!done) return;
  show(`One-time link for ${done.account.email}`, done.link);
  await reload();
}

async function remove({ id, email, identityId }) {
  // Who has never signed in may have no identity yet.
  const left = identityId ? await leftBehindBy(identityId) : "";
  return removal({
    title: `Remove ${email}?`,
    text: `Their sessions end at once and they cannot sign in. What they did stays in the audit log. ${left}`.trim(),
    path: `/api/v1/accounts/${id}`,
    button: "Remove",
    done: `${email} is removed`,
  });
}
