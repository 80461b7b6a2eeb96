// The later steps: when, where, and the review before it is made.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { policyFields, policyOf, policyText, retirementDefault } from "../rotation/settings.js";
import { newEnvironment, newProject } from "../pages/secret_places.js";
import { action } from "../parts.js";
import { ROTATIONS } from "../rotation/api.js";
import { previewed } from "../rotation/steps.js";
import { dateText, fromNow } from "../time.js";
import { check, empty, facts, field, select } from "../ui.js";
import { bodyOf } from "./draft.js";

/** How long typing rests before the dates are asked for. */
const TYPING_REST = 250;

export const schedule = {
  title: "Schedule",
  async content(draft, { signal }) {
    draft.policy ??= { ...(await retirementDefault()), verifyRegions: [], exclusiveUser: false };
    const interval = h("input", { name: "rotationInterval", type: "number", min: 1, max: 36_500, value: draft.rotationInterval, required: true });
    const time = h("input", { name: "time", type: "time", value: draft.time, required: true });
    const dates = h("div", { "aria-live": "polite" });
    let resting = 0;
    const show = async () => {
      if (!interval.checkValidity() || !time.value) return fill(dates, h("p.faint", {}, "Between 1 and 36,500 days, and a time of day."));
      const [hours, minutes] = time.value.split(":").map(Number);
      try {
        const answer = await api.get(`${ROTATIONS}/schedule`, { rotationInterval: interval.value, hours, minutes }, { signal });
        return fill(dates, h("ol", {}, answer.dates.map((date) => h("li", {}, h("time", { datetime: date }, dateText(date)), h("span.faint", {}, ` ${fromNow(date)}`)))));
      } catch (fault) {
        return signal.aborted ? undefined : fill(dates, h("p.fault", {}, fault.message));
      }
    };
    const later = () => {
      clearTimeout(resting);
      resting = setTimeout(show, TYPING_REST);
    };
    show();
    return { nodes: [
      h("div.fields.field", { oninput: later }, field("A new key every … days", interval, "30 keeps every key well under the 90 days that CIS asks for."), field("At, in UTC", time, "Choose a quiet hour.")),
      check("Rotate automatically", { name: "isAutoRotationEnabled", checked: draft.isAutoRotationEnabled }, "Off, a rotation runs only when somebody asks for it."),
      h("h3", {}, "The next five dates"), dates,
      h("details", {}, h("summary", {}, "How previous keys are treated"), h("div", { style: { "padding-top": ".75rem" } }, policyFields(draft.policy))),
    ] };
  },
  take(values, draft) {
    draft.rotationInterval = Number(values.rotationInterval);
    draft.time = values.time || "00:00";
    draft.isAutoRotationEnabled = values.isAutoRotationEnabled === "on";
    draft.policy = policyOf(values);
  },
};

export const place = {
  title: "Place and names",
  async content(draft, { projects, made }) {
    const makeProject = (kind) => action("New project", () => newProject().then(made), kind);
    if (projects.length === 0) {
      return { isBlocked: true, nodes: empty("A rotation publishes its key in a project, and you are in none. Make one, or ask an administrator of a project to add you; what you have said so far is kept.", makeProject("primary")) };
    }
    draft.projectId ||= projects[0]?.id ?? "";
    const environment = h("select", { name: "environment", required: true });
    const folders = h("datalist", { id: "folders" });
    const environmentsOf = (id) => projects.find((project) => project.id === id)?.environments ?? [];
    const showFolders = async () => {
      if (!project.value || !environment.value) return;
      const { folders: found } = await api.get("/api/v2/folders", { projectId: project.value, environment: environment.value, recursive: "true" }).catch(() => ({ folders: [] }));
      fill(folders, h("option", { value: "/" }), found.map(({ relativePath, path }) => h("option", { value: relativePath ?? path })));
    };
    const showEnvironments = () => {
      fill(environment, environmentsOf(project.value).map(({ slug, name }) => h("option", { value: slug, selected: slug === draft.environment }, name)));
      showFolders();
    };
    const project = select("projectId", projects.map(({ id, name }) => [id, name]), draft.projectId, { required: true, onchange: showEnvironments });
    environment.addEventListener("change", showFolders);
    showEnvironments();
    const secretName = (name, value) => h("input", { name, value, required: true, maxlength: 512, spellcheck: "false", autocomplete: "off" });
    return { nodes: [
      h("div.fields.field", {}, field("Project", project), field("Environment", environment)),
      h("div.actions.field", {}, makeProject("quiet.small"), action("New environment", () => newEnvironment(projects.find(({ id }) => id === project.value)).then(made), "quiet.small")),
      field("Folder", h("input", { name: "secretPath", value: draft.secretPath, required: true, list: "folders", pattern: "/.*", title: "A path that begins with /" }), "Where the two secrets are. / is the top."),
      folders,
      check("Create the folder if it is not there", { name: "makeFolder", checked: draft.makeFolder }),
      field("Secret of the access key id", secretName("secretsMapping.accessKeyId", draft.idName)),
      field("Secret of the secret access key", secretName("secretsMapping.secretAccessKey", draft.secretName)),
      field("Name of the rotation", h("input", { name: "name", value: draft.name, required: true, maxlength: 64, pattern: "[a-z0-9]+(?:-[a-z0-9]+)*", title: "Lower case letters, digits and single hyphens" }), "Lower case letters, digits and single hyphens."),
      field("Description", h("input", { name: "description", value: draft.description, maxlength: 256, placeholder: "What the key is for, and who owns it" })),
    ] };
  },
  take(values, draft) {
    for (const name of ["projectId", "environment", "secretPath", "name", "description"]) draft[name] = (values[name] ?? "").trim();
    draft.idName = values["secretsMapping.accessKeyId"].trim();
    draft.secretName = values["secretsMapping.secretAccessKey"].trim();
    draft.makeFolder = values.makeFolder === "on";
  },
  check: folderThere,
};

/** A folder that is not there is made if that was asked for; otherwise its field says so. */
async function folderThere({ projectId, environment, secretPath, makeFolder }) {
  const parts = secretPath.split("/").filter(Boolean);
  if (parts.length === 0) return;
  const name = parts.pop();
  const path = `/${parts.join("/")}`;
  const { folders } = await api.get("/api/v2/folders", { projectId, environment, path });
  if (folders.some((folder) => folder.name === name)) return;
  if (!makeFolder) throw Object.assign(new Error(), { faults: [{ path: ["secretPath"], message: "There is no such folder. Choose another, or tick the box below." }] });
  await api.post("/api/v2/folders", { projectId, environment, path, name });
}

const ADOPTED = { leave: "left alone", import: "imported", "hand-over": "handed over" };

export const review = {
  title: "Review",
  button: "Create the rotation",
  waiting: "Creating, checking and publishing the key. This can take a minute …",
  content(draft, { projects, signal, refused }) {
    const body = bodyOf(draft);
    const project = projects.find(({ id }) => id === draft.projectId);
    const found = h("div", { "aria-live": "polite" }, h("p.faint", {}, h("span.spin", { "aria-hidden": "true" }, "◌"), " Checking permissions, keys and names …"));
    api.post(`${ROTATIONS}/preview`, body).then(
      ({ preview }) => signal.aborted || fill(found, previewed(preview)),
      (fault) => {
        if (signal.aborted) return;
        fill(found, refused(fault));
        // What the server refuses now it refuses then; what is only late may be tried.
        if (fault.status >= 400 && fault.status < 500) found.closest("form").querySelector("[type=submit]").disabled = true;
      },
    );
    return { nodes: [
      facts([
        ["Rotation", draft.name],
        ["IAM user", `${draft.userName} (${draft.region})`],
        draft.keys.length > 0 && ["Present key", [h("code", {}, draft.adopt === "leave" ? draft.keys.map(({ accessKeyId }) => accessKeyId).join(" ") : body.adoption.accessKeyId), ` is ${ADOPTED[draft.adopt]}${body.adoption?.retireAtOnce ? " and retired at once" : ""}`]],
        ["Schedule", `${draft.isAutoRotationEnabled ? "" : "Off; otherwise "}every ${draft.rotationInterval} days at ${draft.time} UTC`],
        ["Previous key", policyText(draft.policy)],
        ["Place", `${project?.name ?? draft.projectId} / ${project?.environments.find(({ slug }) => slug === draft.environment)?.name ?? draft.environment} ${draft.secretPath}`],
        ["Secrets", [h("code", {}, draft.idName), h("br"), h("code", {}, draft.secretName)]],
      ]),
      h("h3", {}, "What will happen"),
      found,
    ] };
  },
  take() {},
};
