// All projects of the organization, for its administrators: also those that they are not in, which they can enter.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { action, counted, onceDone, region } from "../parts.js";
import { go } from "../router.js";
import { when } from "../time.js";
import { badge, confirm, empty, field, notify, table } from "../ui.js";

const PROJECTS = "/api/v1/organization-admin/projects";
const ON_A_PAGE = 50;

const membersOf = (id) => `/access?${new URLSearchParams({ section: "projects", projectId: id })}`;

/** The section of all projects. */
export function organizationProjects() {
  let search = "";
  const list = region(async () => {
    const shown = h("div.stack", {});
    const { content, next } = await api.page(PROJECTS, { search, pageSize: ON_A_PAGE });
    show(shown, content.projects, next, search);
    return shown;
  });
  const find = (event) => {
    event.preventDefault();
    search = new FormData(event.target).get("search").trim();
    return list.reload();
  };
  return h("section.card.stack", {},
    h("h2", {}, "All projects"),
    h("p", {}, "Administrators of the organization see that all of these are there. What is in a project is for its members: enter it, if nobody else can act."),
    h("form.fields", { role: "search", onsubmit: find }, field("Search by name", h("input", { type: "search", name: "search" })), h("button", { type: "submit" }, "Search")),
    list.place);
}

function show(place, projects, next, search) {
  const more = async () => {
    const page = await api.page(next);
    show(place, [...projects, ...page.content.projects], page.next, search);
  };
  fill(place,
    table("All projects", [
      ["Project", ({ id, name, isMember }) => (isMember ? h("a", { href: membersOf(id) }, name) : name)],
      ["You", ({ isMember }) => (isMember ? "a member" : h("span.faint", {}, "not in it"))],
      ["Members", ({ membersCount }) => (membersCount > 0 ? membersCount : badge("warn", "nobody"))],
      ["Rotations", ({ rotationsCount }) => rotationsCount],
      ["Made", ({ createdAt }) => when(createdAt)],
      ["Actions", (project) => !project.isMember && h("div.actions", {}, action("Enter as administrator", onceDone(() => enter(project), () => go(membersOf(project.id))), "quiet.small", project.name))],
    ], projects, empty(search ? "No project has this in its name." : "No project yet.")),
    next && h("p", {}, action("Load more", more)));
}

async function enter({ id, name }) {
  const done = await confirm({
    title: `Enter ${name} as administrator?`,
    content: h("p", {}, "You become its administrator: you see its secrets and rotations, and may change all of them, until you are removed from it. The audit log of the project tells that you entered."),
    button: "Enter",
    act: () => api.post(`${PROJECTS}/${id}/grant-admin-access`),
  });
  if (done) notify(`You administer ${name} now`);
  return done;
}

/** What is said before an identity goes: that projects without another member stay. Empty if there are none. */
export async function leftBehindBy(identityId) {
  const [{ projects }, { identityMemberships }] = await Promise.all([
    api.get(PROJECTS),
    api.get(`/api/v1/identities/${identityId}/identity-memberships`),
  ]);
  const own = new Set(identityMemberships.map(({ project }) => project.id));
  const left = projects.filter(({ id, membersCount }) => membersCount === 1 && own.has(id));
  if (left.length === 0) return "";
  const rotations = left.reduce((sum, { rotationsCount }) => sum + rotationsCount, 0);
  const going = rotations > 0 ? `, and ${counted(rotations, "rotation goes", "rotations go")} on` : "";
  return `${counted(left.length, "project has", "projects have")} no other member: what is in there stays${going}. An administrator can enter under Access, Projects.`;
}
