// What can be done with a rotation, each with a dialog that says what will happen.

import { api, to } from "../api.js";
import { fill, h } from "../dom.js";
import { go } from "../router.js";
import { dateText } from "../time.js";
import { badge, check, choices, confirm, field, notify, select } from "../ui.js";
import { addressOf, ROTATIONS } from "./api.js";
import { lastUseText } from "./last_use.js";
import { keyId, previewed } from "./steps.js";

/** Where a preview appears as soon as AWS has been asked. What would fail cannot be started. */
function imagined(id, body) {
  const place = h("div", { "aria-live": "polite", "aria-busy": "true" }, h("p.faint", {}, h("span.spin", { "aria-hidden": "true" }, "◌"), " Asking AWS what would happen …"));
  api.post(addressOf(id, "preview"), body)
    .then(({ preview }) => {
      fill(place, previewed(preview));
      if (preview.outcome === "failed") bar(place, "This would fail, so it cannot be started. Mend first what is said above.");
    }, (fault) => {
      fill(place, h("p.fault", {}, fault.message));
      if (fault.status >= 400 && fault.status < 500) bar(place, "Keywheel refuses this, so it cannot be started.");
    })
    .finally(() => place.removeAttribute("aria-busy"));
  return place;
}

/** Switches off the button of the dialog that a preview is in, and says why; a dialog that only shows keeps its button. */
function bar(place, reason) {
  const button = place.closest("[data-starts]")?.closest("form").querySelector("button[type=submit]");
  if (!button) return;
  button.disabled = true;
  button.setAttribute("aria-describedby", "barred");
  place.append(h("p.hint", { id: "barred" }, reason));
}

/** Asks, then starts a run and lets the page show it while it runs. */
export function confirmRun(page, { title, content, imagine, button, danger = false, path, done }) {
  return confirm({
    title,
    content: [content, h("h3", {}, "In detail"), h("div", { dataset: { starts: "run" } }, imagined(page.rotation.id, imagine))],
    button,
    danger,
    act: () => true,
    // Only when the dialog is gone: closing it moves the focus.
  }).then((isWanted) => isWanted && page.follow(api.post(addressOf(page.rotation.id, ...path)), done));
}

/** Rotates now. */
export function rotateNow(page) {
  const { rotation, keys } = page;
  const published = keys.find(({ state }) => state === "published");
  const earlier = keys.filter(({ state }) => state === "displaced" || state === "deactivated");
  return confirmRun(page, {
    title: "Rotate now",
    content: [
      h("p", {}, "A new access key of ", h("strong", {}, rotation.parameters.userName), " is created, checked, and published as ", h("code", {}, rotation.secretsMapping.accessKeyId), " and ", h("code", {}, rotation.secretsMapping.secretAccessKey), "."),
      published && h("p", {}, keyId(published.accessKeyId), " becomes the previous key and keeps working."),
      earlier.map((key) => h("p", {}, keyId(key.accessKeyId), key.nextChange?.withNextRotation
        ? " goes first, deactivated and deleted: AWS has room for two keys of a user. "
        : " keeps its slot until its own date, and is not deleted before. If that leaves no room, it says so below. ", lastUseText(key))),
    ],
    imagine: {},
    button: "Rotate now",
    path: ["rotate-secrets"],
    done: "Rotated",
  });
}

/** Shows what a rotation would do now, and after it. */
export function preview(page) {
  return confirm({
    title: "What a rotation would do now",
    content: [h("p", {}, "All checks are made. AWS is only read; nothing is changed."), imagined(page.rotation.id, {})],
    button: "Close",
  });
}

/** Switches automatic rotation off or on. */
export function pauseOrResume(page) {
  const { rotation } = page;
  const isOn = rotation.isAutoRotationEnabled;
  return confirm({
    title: isOn ? "Pause automatic rotation" : "Resume automatic rotation",
    content: isOn
      ? [h("p", {}, "The rotation of ", dateText(rotation.nextRotationAt), " and later ones do not run. The published key stays as it is and grows older."), h("p", {}, "Rotating by hand still works.")]
      : h("p", {}, `A new key every ${rotation.rotationInterval} days again. The server sets the next date.`),
    button: isOn ? "Pause" : "Resume",
    act: async () => {
      await api.patch(addressOf(rotation.id), { isAutoRotationEnabled: !isOn });
      await page.reload();
    },
  }).then((result) => result && notify(isOn ? "Paused" : "Resumed"));
}

/** Asks AWS whether the published key works. */
export async function checkKey(page) {
  try {
    await api.post(addressOf(page.rotation.id, "check-credentials"));
    notify("AWS accepts the published key");
  } catch (fault) {
    notify(`The published key does not work: ${fault.message}. Rotate now, or roll back.`, "bad");
  }
}

/** Moves the rotation with its two secrets to another folder or environment. */
export async function move(page) {
  const { rotation } = page;
  const { projects } = await api.get("/api/v1/projects");
  const environments = projects.find(({ id }) => id === rotation.projectId)?.environments ?? [rotation.environment];
  return confirm({
    title: "Move the rotation",
    content: [
      h("p", {}, "The two secrets go along. Programs that read them at the old place find nothing there: change them first, or at the same time."),
      field("Environment", select("destinationEnvironment", environments.map(({ slug, name }) => [slug, name]), rotation.environment.slug)),
      field("Folder", h("input", { name: "destinationSecretPath", value: rotation.folder.path, required: true, pattern: "/.*" }), "A path that begins with /. The folder has to be there: make it under Secrets."),
      check("Replace secrets of the same names there", { name: "overwriteDestination" }),
    ],
    button: "Move",
    act: async ({ overwriteDestination, ...body }) => {
      await api.post(`${ROTATIONS}/move/${rotation.id}`, { ...body, overwriteDestination: overwriteDestination === "on" });
      await page.reload();
    },
  }).then((result) => result && notify("Moved"));
}

/** Deletes the rotation; what becomes of secrets and keys is asked. */
export function remove(page) {
  const { rotation, keys } = page;
  const wanted = { keys: "keep", secrets: "keep" };
  const dead = h("p", { hidden: true, role: "status" }, badge("warn", "Dead key"), " The secrets stay, with a key that AWS refuses: programs read it and fail. Delete them too, or leave the keys at AWS.");
  const choose = (what) => (value) => {
    wanted[what] = value;
    dead.hidden = wanted.keys !== "revoke" || wanted.secrets !== "keep";
  };
  const ours = keys.filter(({ state }) => ["published", "displaced", "deactivated", "verified", "pending"].includes(state));
  return confirm({
    title: `Delete ${rotation.name}`,
    content: [
      h("p", {}, "The key is not renewed any more. ", h("strong", {}, "This cannot be undone.")),
      choices("keys", "The access keys", [
        ["keep", "Leave them at AWS", "They keep working, and nobody looks after them."],
        ["revoke", "Delete them at AWS now", ["Everything that uses them stops working: ", ours.map(({ accessKeyId }) => [keyId(accessKeyId), " "])]],
      ], wanted.keys, choose("keys")),
      choices("secrets", "The two secrets", [
        ["keep", "Keep them as ordinary secrets", `${rotation.secretsMapping.accessKeyId} and ${rotation.secretsMapping.secretAccessKey} stay in ${rotation.environment.name} ${rotation.folder.path}.`],
        ["delete", "Delete them too", "Programs that read them find nothing."],
      ], wanted.secrets, choose("secrets")),
      dead,
      field(`Type ${rotation.name} to go on`, h("input", { name: "name", required: true, autocomplete: "off", pattern: rotation.name, title: `The name: ${rotation.name}` })),
    ],
    button: "Delete the rotation",
    waiting: "Deleting …",
    danger: true,
    act: async (values) => {
      const query = { revokeGeneratedCredentials: values.keys === "revoke" || null, deleteSecrets: values.secrets === "delete" || null };
      await api.delete(to(addressOf(rotation.id), query));
    },
  }).then((result) => {
    if (!result) return;
    notify(`${rotation.name} is deleted`);
    go("/rotations");
  });
}
