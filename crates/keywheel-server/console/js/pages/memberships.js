// Memberships of identities in projects: what they say, and the dialogs that change them.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { action, onceDone, removal } from "../parts.js";
import { dateText } from "../time.js";
import { badge, confirm, field, select } from "../ui.js";

export const ORGANIZATION_ROLES = [["admin", "Admin: people, identities, connections"], ["member", "Member: makes projects, uses connections"], ["no-access", "No access: only what projects grant"]];
const PROJECT_ROLES = [["viewer", "Viewer: reads"], ["member", "Member: works with secrets, sees the rest"], ["admin", "Admin: everything in the project"], ["no-access", "No access"]];
const TIMES = [["", "for good"], ["1h", "for an hour"], ["8h", "for 8 hours"], ["1d", "for a day"], ["7d", "for a week"], ["30d", "for 30 days"]];
/** How many identities are offered; the search finds the others. */
const OFFERED = 20;

const addressOf = (projectId, identityId) => `/api/v1/projects/${projectId}/memberships/identities/${identityId}`;

/** The roles of a membership, with the end of those that are temporary. */
export function rolesOf({ roles }) {
  return roles.map((role) => h("div", {}, role.role, " ", endOf(role)));
}

function endOf({ isTemporary, temporaryAccessEndTime: end }) {
  if (!isTemporary) return null;
  return new Date(end) < new Date() ? badge("idle", "ended") : h("span.faint", {}, `until ${dateText(end)}`);
}

/** What can be done with a membership. */
export function membershipActions(membership, reload) {
  const { identity, project } = membership;
  return h("div.actions", {},
    action("Roles", onceDone(() => changeRoles(membership), reload), "quiet.small", `of ${identity.name} in ${project.name}`),
    action("Remove", onceDone(() => removeMember(membership), reload), "quiet.small", `${identity.name} from ${project.name}`));
}

/** Lists of role and time; each role but the last can be taken away. `read` answers them as the API wants them. */
function roleRows(roles) {
  const rows = h("div", {});
  const add = (given = { role: "viewer" }) => {
    const role = select(null, PROJECT_ROLES, given.role, { "aria-label": "Role" });
    const kept = given.isTemporary ? [["kept", `until ${dateText(given.temporaryAccessEndTime)}`]] : [];
    const time = select(null, [...kept, ...TIMES], given.isTemporary ? "kept" : "", { "aria-label": "For how long" });
    const row = h("div.fields", {}, h("div.field", {}, role), h("div.field", {}, time), action("Take away", () => rows.children.length > 1 && row.remove(), "quiet"));
    row.read = () => bodyOf(role.value, time.value, given);
    rows.append(row);
  };
  roles.forEach((role) => add(role));
  return {
    place: h("fieldset", {}, h("legend", {}, "Roles"), rows, action("Add a role", () => add(), "quiet")),
    read: () => [...rows.children].map((row) => row.read()),
  };
}

function bodyOf(role, time, given) {
  if (time === "") return { role, isTemporary: false };
  const [temporaryRange, start] = time === "kept" ? [given.temporaryRange, given.temporaryAccessStartTime] : [time, new Date().toISOString()];
  return { role, isTemporary: true, temporaryMode: "relative", temporaryRange, temporaryAccessStartTime: start };
}

function changeRoles({ identity, project, roles }) {
  const chosen = roleRows(roles);
  return confirm({
    title: `Roles of ${identity.name} in ${project.name}`,
    content: chosen.place,
    button: "Save",
    act: () => api.patch(addressOf(project.id, identity.id), { roles: chosen.read() }),
  });
}

function removeMember({ identity, project }) {
  return removal({
    title: `Remove ${identity.name} from ${project.name}?`,
    text: "It reads nothing of the project from now on, with tokens that it has already too.",
    path: addressOf(project.id, identity.id),
    button: "Remove",
    done: `${identity.name} is no member of ${project.name} any more`,
  });
}

/** Makes an identity a member of one of some projects. @param {{id: string, name: string}} identity */
export function addToProject(identity, projects) {
  return join(`Add ${identity.name} to a project`, (role) => [field("Project", select("projectId", projects.map(({ id, name }) => [id, name]), "")), role],
    ({ projectId }) => addressOf(projectId, identity.id));
}

/** Makes an identity, which is searched for, a member of a project. */
export function addMember(project) {
  const found = select("identityId", [], "", { required: true });
  const look = async (search) => {
    const { identities } = await api.get("/api/v1/identities", { search, limit: OFFERED });
    fill(found, identities.map(({ identity }) => h("option", { value: identity.id }, identity.name)));
  };
  look("").catch(() => null);
  const search = h("input", { type: "search", oninput: ({ target }) => look(target.value.trim()).catch(() => null) });
  return join(`Add a member to ${project.name}`, (role) => [field("Search", search, "People have identities too, by their e-mail."), field("Identity", found), role],
    ({ identityId }) => addressOf(project.id, identityId));
}

function join(title, contentOf, pathOf) {
  const chosen = roleRows([{ role: "viewer" }]);
  return confirm({
    title,
    content: contentOf(chosen.place),
    button: "Add",
    act: (values) => api.post(pathOf(values), { roles: chosen.read() }),
  });
}
