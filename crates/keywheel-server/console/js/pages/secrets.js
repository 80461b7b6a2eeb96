// The secrets of a place: project, environment, folder. The place is in the address, so that it can be kept and shared.

import { api, to } from "../api.js";
import { h } from "../dom.js";
import { action, onceDone, projectOf, region } from "../parts.js";
import { go } from "../router.js";
import { empty, field, heading, select } from "../ui.js";
import { manage, newEnvironment, newProject } from "./secret_places.js";
import { addSecret, changeFolder, newFolder } from "./secret_dialogs.js";
import { secretTable } from "./secret_table.js";

/** The browser of secrets. */
export async function render({ query }) {
  const { projects, project } = await projectOf(query);
  if (!project) {
    return [heading("Secrets"), empty("No project yet. A project holds the secrets of one product or team, in environments such as dev and prod.",
      action("New project", () => newProject().then(open), "primary"))];
  }
  const environment = project.environments.find(({ slug }) => slug === query.get("environment")) ?? project.environments[0];
  const place = { projectId: project.id, environment: environment?.slug, secretPath: query.get("path") || "/" };
  return [
    heading("Secrets", action("New project", () => newProject().then(open))),
    choice(projects, project, environment),
    environment
      ? folder(place)
      : empty("This project has no environment yet.", action("New environment", () => newEnvironment(project).then(open), "primary")),
  ];
}

/** Goes to a place; nowhere if a dialog was called off. */
function open(place) {
  if (place) go(addressOf(place));
}

function addressOf({ projectId, environment, secretPath }) {
  return to("/secrets", { projectId, environment, path: secretPath === "/" ? "" : secretPath });
}

function choice(projects, project, environment) {
  const inProject = select("projectId", projects.map(({ id, name }) => [id, name]), project.id,
    { onchange: (event) => open({ projectId: event.target.value, environment: environment?.slug }) });
  const inEnvironment = environment && select("environment", project.environments.map(({ slug, name }) => [slug, name]), environment.slug,
    { onchange: (event) => open({ projectId: project.id, environment: event.target.value }) });
  return h("div.fields", {},
    field("Project", inProject),
    inEnvironment && field("Environment", inEnvironment),
    environment && action("New environment", () => newEnvironment(project).then(open)),
    action("Manage", () => manage(project, environment).then((place) => place && open(place))));
}

function folder(place) {
  const list = region(() => contents(place, list));
  return h("section.card.stack", {},
    h("div.heading", {},
      h("h2", {}, "Folder ", h("code", {}, place.secretPath)),
      h("div.actions", {},
        place.secretPath !== "/" && action("Folder …", () => changeFolder(place).then((path) => path && open({ ...place, secretPath: path }))),
        action("New folder", onceDone(() => newFolder(place), list.reload)),
        action("New secret", onceDone(() => addSecret(place), list.reload), "primary"))),
    breadcrumbs(place),
    list.place);
}

function breadcrumbs(place) {
  const names = place.secretPath.split("/").filter(Boolean);
  const steps = [["/", "root"], ...names.map((name, at) => [`/${names.slice(0, at + 1).join("/")}`, name])];
  return h("nav.crumbs", { "aria-label": "Folders above" }, h("ol", {}, steps.map(([secretPath, name], at) =>
    h("li", {}, h("a", { href: addressOf({ ...place, secretPath }), "aria-current": at === steps.length - 1 ? "page" : null }, name)))));
}

async function contents(place, list) {
  const { secretPath, ...within } = place;
  const [{ folders }, { secrets, imports }] = await Promise.all([
    api.get("/api/v1/folders", { ...within, path: secretPath }),
    api.get("/api/v4/secrets", { ...place, viewSecretValue: false, includeImports: true, expandSecretReferences: false }),
  ]);
  const below = (name) => `${secretPath === "/" ? "" : secretPath}/${name}`;
  return [
    folders.length > 0 && h("ul.list", { "aria-label": "Folders here" }, folders.filter(({ isReserved }) => !isReserved).map(({ name }) =>
      h("li", {}, h("a", { href: addressOf({ ...place, secretPath: below(name) }) }, h("span", { "aria-hidden": "true" }, "▸ "), name)))),
    secrets.length > 0
      ? secretTable(place, secrets, list.reload)
      : empty(folders.length > 0 ? "No secret directly in this folder." : "Nothing here yet. Add a secret, or make a rotation that publishes its key here.",
        h("a.button", { href: "/rotations/new" }, "New rotation")),
    imports.length > 0 && imported(place, imports),
  ];
}

function imported(place, imports) {
  return [
    h("h3", {}, "Imported"),
    h("p.hint", {}, "Programs that read this folder get these too. They are changed where they come from."),
    h("ul", {}, imports.map(({ environment, secretPath, secrets }) => h("li", {},
      h("a", { href: addressOf({ ...place, environment, secretPath }) }, `${environment} ${secretPath}`), ": ",
      secrets.map(({ secretKey }) => secretKey).join(", ") || "nothing"))),
  ];
}
