// Dialogs that change secrets and folders.

import { api } from "../api.js";
import { h } from "../dom.js";
import { ask, removal, text } from "../parts.js";
import { check, field, notify } from "../ui.js";
import { readValue } from "./secret_table.js";

const addressOf = (name) => `/api/v4/secrets/${encodeURIComponent(name)}`;

function fields(secret, value) {
  return [
    text("secretKey", "Name", { value: secret?.secretKey ?? "", required: true, placeholder: "DATABASE_URL" }),
    field("Value", h("textarea", { name: "secretValue", rows: "4", spellcheck: "false", autocomplete: "off", value }), "${environment.folder.NAME} stands for another secret."),
    text("secretComment", "Comment", { value: secret?.secretComment ?? "", hint: "For people. Not secret." }),
  ];
}

/** Adds a secret to a place. */
export function addSecret(place) {
  return ask({
    title: `New secret in ${place.environment} ${place.secretPath}`,
    content: fields(null, ""),
    button: "Add",
    act: async ({ secretKey, ...rest }) => {
      await api.post(addressOf(secretKey), { ...place, ...rest });
      notify(`${secretKey} is added`);
    },
  });
}

/** Edits a secret that no rotation writes. Its value is read for that, which is audited. */
export async function editSecret(place, { secretKey }) {
  const secret = await readValue(place, secretKey);
  // A role that sees no values could only overwrite this one with what stands for it.
  if (secret.secretValueHidden) throw new Error("Your role may not see values, so it cannot edit them here.");
  return ask({
    title: `Edit ${secretKey}`,
    content: [fields(secret, secret.secretValue), h("p.hint", {}, "Saving makes a new version; the earlier ones stay.")],
    button: "Save",
    act: async ({ secretKey: name, secretValue, secretComment }) => {
      const newSecretName = name === secretKey ? undefined : name;
      await api.patch(addressOf(secretKey), { ...place, newSecretName, secretValue, secretComment });
      notify(`${name} is saved`);
    },
  });
}

/** Deletes a secret. */
export function removeSecret(place, { secretKey }) {
  return removal({
    title: `Delete ${secretKey}?`,
    text: `Programs that read it from ${place.environment} ${place.secretPath} get an error from now on. Its versions go with it.`,
    path: addressOf(secretKey), body: place,
    done: `${secretKey} is deleted`,
  });
}

/** Makes a folder in a place. */
export function newFolder({ secretPath, ...within }) {
  return ask({
    title: `New folder in ${secretPath}`,
    content: text("name", "Name", { required: true, hint: "Letters, digits, dashes and underscores." }),
    button: "Make",
    act: ({ name }) => api.post("/api/v1/folders", { ...within, path: secretPath, name: name }),
  });
}

/** Renames or deletes the folder of a place. @returns {Promise<string | undefined>} the path to go to */
export async function changeFolder({ secretPath, ...within }) {
  const names = secretPath.split("/").filter(Boolean);
  const old = names.pop();
  const path = `/${names.join("/")}`;
  const { folders } = await api.get("/api/v1/folders", { ...within, path });
  const { id } = folders.find(({ name }) => name === old) ?? {};
  if (!id) throw new Error("This folder is gone. Go to the one above.");
  const remove = check("Delete this folder with every secret and folder in it", {}, "Refused while rotations publish there: delete or move them first.");
  return ask({
    title: `Folder ${secretPath}`,
    content: [
      text("name", "Name", { value: old, required: true, hint: "Programs find its secrets under the new name only." }),
      remove,
    ],
    button: "Apply",
    act: async ({ name }) => {
      if (remove.querySelector("input").checked) {
        await api.delete(`/api/v1/folders/${id}`, { ...within, path, forceDelete: true });
        notify(`The folder ${secretPath} is deleted`);
        return path;
      }
      await api.patch(`/api/v1/folders/${id}`, { ...within, path, name: name });
      return `${path === "/" ? "" : path}/${name}`;
    },
  });
}
