// What a rotation is set to, and the dialogs that change it.

import { api } from "../api.js";
import { h } from "../dom.js";
import { check, choices, confirm, facts, field, notify } from "../ui.js";
import { addressOf } from "./api.js";

const two = (number) => String(Math.floor(number)).padStart(2, "0");

/** `every 30 days at 04:30 UTC` */
export function scheduleText({ rotationInterval, rotateAtUtc }) {
  return `every ${rotationInterval === 1 ? "day" : `${rotationInterval} days`} at ${two(rotateAtUtc.hours)}:${two(rotateAtUtc.minutes)} UTC`;
}

/** What a policy says of displaced keys, in a sentence. */
export function policyText({ retirement, whenStillUsed }) {
  const goes = retirement.mode === "grace"
    ? `active for ${retirement.graceHours} h, inactive for ${retirement.quarantineHours} h, then deleted`
    : "active until the next rotation needs its slot";
  return `${goes}; ${whenStillUsed.action === "hold" ? `kept while it is used, for ${whenStillUsed.hoursMax} h at most` : "if it is still used then, people are told, and it goes nevertheless"}`;
}

/** The settings as a list. */
export function settings({ rotation, user, policy }) {
  return facts([
    ["Secrets", [h("code", {}, rotation.secretsMapping.accessKeyId), h("br"), h("code", {}, rotation.secretsMapping.secretAccessKey)]],
    ["Place", h("a", { href: `/secrets?${new URLSearchParams({ projectId: rotation.projectId, environment: rotation.environment.slug, path: rotation.folder.path })}` }, `${rotation.environment.name} ${rotation.folder.path}`)],
    ["Schedule", `${rotation.isAutoRotationEnabled ? "" : "Paused; otherwise "}${scheduleText(rotation)}`],
    ["IAM user", [user?.arn ? h("code", {}, user.arn) : rotation.parameters.userName]],
    ["Region", rotation.parameters.region],
    ["Connection", h("a", { href: `/connections/${rotation.connectionId}` }, rotation.connection.name)],
    ["Previous key", policyText(policy)],
    ["Checked in", policy.verifyRegions.join(", ")],
    ["Exclusive user", policy.exclusiveUser ? "Nobody else makes keys on this user" : "Not promised: others may make keys on this user"],
    ["Id", h("code", {}, rotation.id)],
  ]);
}

/** Changes name, description, schedule and names of the secrets. */
export function edit(page) {
  const { rotation } = page;
  const { rotateAtUtc: time, secretsMapping: names } = rotation;
  return confirm({
    title: "Edit the rotation",
    content: [
      field("Name", h("input", { name: "name", value: rotation.name, required: true, maxlength: 64, pattern: "[a-z0-9]+(?:-[a-z0-9]+)*", title: "Lower case letters, digits and single hyphens" })),
      field("Description", h("input", { name: "description", value: rotation.description ?? "", maxlength: 256 })),
      h("div.fields.field", {},
        field("Days between rotations", h("input", { name: "rotationInterval", type: "number", min: 1, max: 36_500, value: rotation.rotationInterval, required: true })),
        field("At (UTC)", h("input", { name: "time", type: "time", value: `${two(time.hours)}:${two(time.minutes)}`, required: true }))),
      field("Secret of the access key id", h("input", { name: "accessKeyId", value: names.accessKeyId, required: true, maxlength: 512 })),
      field("Secret of the secret access key", h("input", { name: "secretAccessKey", value: names.secretAccessKey, required: true, maxlength: 512 }), "Renamed secrets are found under the new names at once, and no more under the old ones."),
    ],
    button: "Save",
    waiting: "Saving …",
    act: async (values) => {
      await api.patch(addressOf(rotation.id), changed(rotation, values));
      await page.reload();
    },
  }).then((result) => result && notify("Saved"));
}

/** Only what differs is sent: names of secrets that stay need no check of their own. */
function changed(rotation, values) {
  const [hours, minutes] = values.time.split(":").map(Number);
  const body = {};
  if (values.name !== rotation.name) body.name = values.name;
  if (values.description !== (rotation.description ?? "")) body.description = values.description;
  if (Number(values.rotationInterval) !== rotation.rotationInterval) body.rotationInterval = Number(values.rotationInterval);
  if (hours !== Math.floor(rotation.rotateAtUtc.hours) || minutes !== Math.floor(rotation.rotateAtUtc.minutes)) body.rotateAtUtc = { hours, minutes };
  const { accessKeyId, secretAccessKey } = rotation.secretsMapping;
  if (values.accessKeyId !== accessKeyId || values.secretAccessKey !== secretAccessKey) body.secretsMapping = { accessKeyId: values.accessKeyId, secretAccessKey: values.secretAccessKey };
  return body;
}

const RETIREMENT_DEFAULT = "/api/v1/organization/retirement-default";

/** The terms of displaced keys that new rotations begin with: `{retirement, whenStillUsed}`. */
export const retirementDefault = () => api.get(RETIREMENT_DEFAULT).then((answer) => answer.retirementDefault);

/** Replaces them. */
export const setRetirementDefault = (terms) => api.put(RETIREMENT_DEFAULT, terms);

/** Fields of when a displaced key goes. */
export function retirementFields({ retirement, whenStillUsed }) {
  const hours = (name, label, value) => field(label, h("input", { name, type: "number", min: 1, max: 876_000, value }));
  const grace = h("div.fields.field", { hidden: retirement.mode !== "grace" },
    hours("graceHours", "Hours active", retirement.graceHours ?? 24), hours("quarantineHours", "Hours inactive, then deleted", retirement.quarantineHours ?? 24));
  const longest = h("div.field", { hidden: whenStillUsed.action !== "hold" },
    field("Hours at most", h("input", { name: "hoursMax", type: "number", min: 1, max: 720, value: whenStillUsed.hoursMax ?? 168 })));
  return [
    choices("mode", "The previous key goes", [
      ["next-rotation", "When the next rotation needs its slot", "Two active keys in the steady state."],
      ["grace", "After hours of its own", "One active key in the steady state, as CIS AWS 1.13 asks."],
    ], retirement.mode, (mode) => { grace.hidden = mode !== "grace"; }),
    grace,
    choices("action", "If it is still used then", [
      ["warn", "It goes, and the use is told", null],
      ["hold", "It is kept while it is used", null],
    ], whenStillUsed.action, (action) => { longest.hidden = action !== "hold"; }),
    longest,
  ];
}

/** What filled-in fields say of when a displaced key goes. */
export function retirementOf(values) {
  return {
    retirement: values.mode === "grace" ? { mode: "grace", graceHours: Number(values.graceHours), quarantineHours: Number(values.quarantineHours) } : { mode: "next-rotation" },
    whenStillUsed: values.action === "hold" ? { action: "hold", hoursMax: Number(values.hoursMax) } : { action: "warn" },
  };
}

/** Fields of a policy. A new rotation has them too. */
export function policyFields(policy) {
  return [
    retirementFields(policy),
    field("Further regions", h("input", { name: "verifyRegions", value: policy.verifyRegions.join(", "), placeholder: "eu-west-1, ap-south-1" }), "A new key has to work there too before it is published."),
    check("Nobody else makes keys on this user", { name: "exclusiveUser", checked: policy.exclusiveUser }, "Your promise. A suspect that is not used for 24 hours is then Keywheel's, and is retired."),
  ];
}

/** The policy that filled-in fields say. */
export function policyOf(values) {
  return { ...retirementOf(values), verifyRegions: values.verifyRegions.split(/[\s,]+/).filter(Boolean), exclusiveUser: values.exclusiveUser === "on" };
}

/** Changes how previous keys are treated. */
export function editPolicy(page) {
  return confirm({
    title: "How previous keys are treated",
    content: [h("p.faint", {}, "Keys that are displaced already keep the terms under which they were."), policyFields(page.policy)],
    button: "Save",
    waiting: "Saving …",
    act: async (values) => {
      await api.patch(addressOf(page.rotation.id, "policy"), policyOf(values));
      await page.reload();
    },
  }).then((result) => result && notify("Saved"));
}
