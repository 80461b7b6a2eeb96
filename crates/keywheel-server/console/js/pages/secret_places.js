// Dialogs that make, rename and delete projects and environments. Each answers the place to go to.

import { api } from "../api.js";
import { h } from "../dom.js";
import { ask, text } from "../parts.js";
import { check, field, notify, select } from "../ui.js";

/** Makes a project, with the usual environments if wanted. */
export function newProject() {
  const usual = check("With the environments Development, Staging and Production", { checked: true });
  return ask({
    title: "New project",
    content: [
      text("projectName", "Name", { required: true, maxlength: 64 }),
      text("projectDescription", "Description", { maxlength: 256 }),
      usual,
    ],
    button: "Make the project",
    act: async ({ projectName, projectDescription }) => {
      const { project } = await api.post("/api/v1/projects", {
        projectName: projectName, projectDescription: projectDescription || undefined, shouldCreateDefaultEnvs: usual.querySelector("input").checked,
      });
      notify(`The project ${project.name} is made`);
      return { projectId: project.id };
    },
  });
}

/** Makes an environment of a project. */
export function newEnvironment(project) {
  return ask({
    title: `New environment of ${project.name}`,
    content: [
      text("name", "Name", { required: true, placeholder: "Production (EU)" }),
      text("slug", "Slug", { required: true, placeholder: "prod-eu", hint: "What programs name it by: lowercase letters, digits and hyphens." }),
    ],
    button: "Make the environment",
    act: async ({ name, slug }) => {
      const { environment } = await api.post(`/api/v1/projects/${project.id}/environments`, { name: name, slug: slug });
      return { projectId: project.id, environment: environment.slug };
    },
  });
}

/** Renames or deletes a project or an environment of it. */
export function manage(project, environment) {
  const what = select("what", [
    ["rename-project", `Rename the project ${project.name}`],
    environment && ["rename-environment", `Rename the environment ${environment.name}`],
    environment && ["delete-environment", `Delete the environment ${environment.name}`],
    ["delete-project", `Delete the project ${project.name}`],
  ].filter(Boolean), "rename-project");
  return ask({
    title: `Manage ${project.name}`,
    content: [
      field("What to do", what),
      text("name", "Name", { hint: "The new name; to delete, the present name, so that nothing is deleted by accident. Secrets go with it; while it holds rotations it stays." }),
      h("p", {}, "Slug of the project: ", h("code", {}, project.slug), environment && [", of the environment: ", h("code", {}, environment.slug)]),
    ],
    button: "Do it",
    act: ({ what: chosen, name }) => done(chosen, name, project, environment),
  });
}

async function done(what, name, project, environment) {
  const [verb, kind] = what.split("-");
  const thing = kind === "project" ? project : environment;
  const path = kind === "project" ? `/api/v1/projects/${project.id}` : `/api/v1/projects/${project.id}/environments/${environment.id}`;
  if (verb === "rename") {
    if (!name) throw new Error("Type the new name.");
    await api.patch(path, { name });
    return { projectId: project.id, environment: environment?.slug };
  }
  if (name !== thing.name) throw new Error(`To delete it, type its name: ${thing.name}`);
  await api.delete(path);
  notify(`${thing.name} is deleted`);
  return kind === "project" ? {} : { projectId: project.id };
}
