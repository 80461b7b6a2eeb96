// One's account and sessions, notifications, and what is set where.

import { api } from "../api.js";
import { h } from "../dom.js";
import { tabs } from "../parts.js";
import { policyText, retirementDefault, retirementFields, retirementOf, setRetirementDefault } from "../rotation/settings.js";
import { card, facts, form, heading, notify } from "../ui.js";
import { account, sessions } from "./account.js";
import { notifications } from "./webhooks.js";

const SECTIONS = [["account", "My account"], ["sessions", "Sessions"], ["notifications", "Notifications"], ["retirement", "Retirement"], ["about", "About"]];

/** The page, by its sections. */
export async function render({ query, session }) {
  const section = SECTIONS.some(([name]) => name === query.get("section")) ? query.get("section") : "account";
  const content = { account: () => account(session), sessions, notifications: () => notifications(query), retirement: () => retirement(session), about }[section];
  return [heading("Settings"), tabs("Sections of settings", "/settings", SECTIONS, section), await content()];
}

async function retirement(session) {
  const terms = await retirementDefault();
  const isAdmin = session.identity.role === "admin";
  return card("How displaced keys go",
    h("p", {}, "What rotations begin with that are made from now on. Each ", h("a", { href: "/rotations" }, "rotation"), " has a policy of its own, under Edit policy on its page; those that are there keep theirs. Where the hours do not fit into the interval of a new rotation, the next rotation retires its key."),
    h("p", {}, "During its hours a displaced key keeps its slot: a rotation that somebody asks for meanwhile is refused, unless that key is retired first. A key that is still used can be kept, for 720 hours at most. The words are explained in the ", h("a", { href: "/help" }, "help"), "."),
    isAdmin ? retirementForm(terms) : [h("p", {}, `Now: ${policyText(terms)}.`), h("p.faint", {}, "Administrators of the organization may change it.")]);
}

const retirementForm = (terms) => form({
  content: retirementFields(terms),
  button: "Save",
  act: async (values) => {
    await setRetirementDefault(retirementOf(values));
    notify("New rotations begin with this");
  },
});

async function about() {
  const [{ version }, status] = await Promise.all([api.get("/api/v1/sessions/options"), api.get("/api/status")]);
  return card("About",
    facts([
      ["Version", `Keywheel ${version}`],
      ["Time of the server", status.date],
      ["E-mail", status.emailConfigured ? "set up" : "not set up: links are handed over by hand"],
      ["Audit log", status.auditLogStorageDisabled ? "off" : "on"],
    ]),
    h("p", {}, h("a", { href: "/api/docs", target: "_blank", rel: "noopener" }, "API docs (new tab)")));
}
