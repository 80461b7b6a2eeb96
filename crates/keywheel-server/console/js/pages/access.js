// Who may do what: people, machine identities, and the members of projects.

import { api, to } from "../api.js";
import { h } from "../dom.js";
import { action, ask, counted, onceDone, pages, projectOf, region, tabs, text } from "../parts.js";
import { go } from "../router.js";
import { when } from "../time.js";
import { empty, field, heading, notify, select, table } from "../ui.js";
import { addMember, membershipActions, ORGANIZATION_ROLES, rolesOf } from "./memberships.js";
import { organizationProjects } from "./organization_projects.js";
import { people } from "./people.js";

const SECTIONS = [["people", "People"], ["identities", "Machine identities"], ["projects", "Projects"]];
const ON_A_PAGE = 50;

/** The page, by its sections. */
export async function render({ query, session }) {
  const section = SECTIONS.some(([name]) => name === query.get("section")) ? query.get("section") : "people";
  const content = { people: () => people(session), identities: () => identities(query), projects: () => projects(query, session) }[section];
  return [heading("Access"), tabs("Sections of access", "/access", SECTIONS, section), await content()];
}

function identities(query) {
  const search = query.get("search") ?? "";
  const offset = Number(query.get("offset")) || 0;
  const at = (start) => to("/access", { section: "identities", search, offset: start });
  const find = (event) => {
    event.preventDefault();
    go(to("/access", { section: "identities", search: new FormData(event.target).get("search").trim() }));
  };
  const list = region(async () => {
    const { identities: found, totalCount } = await api.get("/api/v1/identities", { search, limit: ON_A_PAGE, offset });
    return [
      table("Identities", [
        ["Name", ({ identity }) => h("a", { href: `/access/identities/${identity.id}` }, identity.name)],
        ["Role", ({ role }) => role],
        ["Signs in by", ({ identity }) => identity.authMethods.join(", ") || h("span.faint", {}, "nothing yet")],
        ["Made", ({ createdAt }) => when(createdAt)],
      ], found, empty(search ? "No identity has this in its name." : "No identity yet. A machine identity is how a program, a pipeline or Terraform signs in.")),
      h("p.faint", {}, counted(totalCount, "identity", "identities")),
      pages(offset, ON_A_PAGE, offset + ON_A_PAGE < totalCount, at),
    ];
  });
  return h("section.card.stack", {},
    h("div.heading", {}, h("h2", {}, "Machine identities"), action("New identity", newIdentity, "primary")),
    h("p", {}, "How programs sign in. The identities of people are in the list too."),
    h("form.fields", { role: "search", onsubmit: find }, field("Search by name", h("input", { type: "search", name: "search", value: search })), h("button", { type: "submit" }, "Search")),
    list.place);
}

async function newIdentity() {
  const made = await ask({
    title: "New machine identity",
    content: [
      text("name", "Name", { required: true, placeholder: "billing-deploy" }),
      field("Role in the organization", select("role", ORGANIZATION_ROLES, "no-access"), "Projects are allowed afterwards, one by one."),
    ],
    button: "Make the identity",
    act: (values) => api.post("/api/v1/identities", values),
  });
  if (!made) return;
  notify(`${made.identity.name} is made. Next: let it sign in, and add it to a project.`);
  go(`/access/identities/${made.identity.id}`);
}

async function projects(query, session) {
  return [await members(query), session.identity.role === "admin" && organizationProjects()];
}

async function members(query) {
  const { projects, project } = await projectOf(query);
  if (!project) return empty("You are in no project yet.", h("a.button", { href: "/secrets" }, "Make one in Secrets"));
  const offset = Number(query.get("offset")) || 0;
  const at = (projectId, start) => to("/access", { section: "projects", projectId, offset: start });
  const chosen = select("projectId", projects.map(({ id, name }) => [id, name]), project.id, { onchange: ({ target }) => go(at(target.value)) });
  const list = region(async () => {
    const { identityMemberships, totalCount } = await api.get(`/api/v1/projects/${project.id}/memberships/identities`, { limit: ON_A_PAGE, offset });
    return [
      table(`Members of ${project.name}`, [
        ["Identity", ({ identity }) => h("a", { href: `/access/identities/${identity.id}` }, identity.name)],
        ["Roles", rolesOf],
        ["Since", ({ createdAt }) => when(createdAt)],
        ["Actions", (membership) => membershipActions(membership, list.reload)],
      ], identityMemberships, empty("Nobody is a member yet.")),
      pages(offset, ON_A_PAGE, offset + ON_A_PAGE < totalCount, (start) => at(project.id, start)),
    ];
  });
  return h("section.card.stack", {},
    h("div.heading", {}, h("h2", {}, "Members of a project"), action("Add a member", onceDone(() => addMember(project), list.reload), "primary")),
    field("Project", chosen),
    list.place);
}
