// Who is told when something happens: webhooks and e-mail, by project.

import { api, to } from "../api.js";
import { h } from "../dom.js";
import { action, ask, onceDone, projectOf, region, removal, secret, text } from "../parts.js";
import { go } from "../router.js";
import { lengthText, when } from "../time.js";
import { badge, check, confirm, empty, field, notify, select, table } from "../ui.js";

const WEBHOOKS = "/api/v1/webhooks";
const MODIFIED = "secrets.modified";
/** What a filter without events stands for: the two of the contract, and none of those that came later. */
const UNLESS_NAMED = [MODIFIED, "secrets.rotation-failed"];

/** The section of notifications. */
export async function notifications(query) {
  const { projects, project } = await projectOf(query);
  if (!project) return empty("No project yet.", h("a.button", { href: "/secrets" }, "Make one in Secrets"));
  const projectId = project.id;
  const options = await api.get(`${WEBHOOKS}/options`, { projectId });
  const list = region(async () => {
    const { webhooks } = await api.get(WEBHOOKS, { projectId });
    return table("Notifications", [
      ["To", (webhook) => [h("code", {}, webhook.url ?? "–"), h("div.faint", {}, titleOf(options.types, webhook.type))]],
      ["About", ({ environment, secretPath }) => [environment.name, " ", h("code", {}, secretPath)]],
      ["Events", ({ eventsFilter }) => titlesOf(options.events, eventsFilter.length > 0 ? eventsFilter.map(({ eventName }) => eventName) : UNLESS_NAMED)],
      ["Last", lastOf],
      ["Actions", (webhook) => actions(webhook, list.reload)],
    ], webhooks, empty("Nobody is told yet. Send what happens to a chat, to e-mail, or to a program."));
  });
  return h("section.card.stack", {},
    h("div.heading", {}, h("h2", {}, "Notifications"),
      action("New notification", onceDone(() => create(project, options), list.reload), "primary")),
    field("Project", select("projectId", projects.map(({ id, name }) => [id, name]), projectId,
      { onchange: ({ target }) => go(to("/settings", { section: "notifications", projectId: target.value })) })),
    list.place);
}

const titleOf = (options, wanted) => options.find(({ name }) => name === wanted)?.title ?? wanted;
const titlesOf = (options, wanted) => wanted.map((name) => titleOf(options, name)).join(", ");

function lastOf({ isDisabled, lastStatus, lastRunErrorMessage }) {
  return [
    isDisabled && badge("idle", "paused"),
    lastStatus ? badge(lastStatus === "success" ? "ok" : "bad", lastStatus) : h("span.faint", {}, "nothing sent yet"),
    lastStatus !== "success" && lastRunErrorMessage && h("div.faint", {}, lastRunErrorMessage),
  ];
}

function actions(webhook, reload) {
  const path = `${WEBHOOKS}/${webhook.id}`;
  const name = webhook.url ?? webhook.type;
  const test = async () => {
    const { webhook: after } = await api.post(`${path}/test`);
    const failed = after.lastStatus && after.lastStatus !== "success";
    notify(failed ? `The test failed: ${after.lastRunErrorMessage ?? "look at the deliveries"}` : "The test is sent", failed ? "bad" : "ok");
    await reload();
  };
  const pause = () => api.patch(path, { isDisabled: !webhook.isDisabled }).then(reload);
  const remove = () => removal({ title: "Delete the notification?", text: `Nothing more is sent to ${name}.`, path, done: "The notification is deleted" });
  return h("div.actions", {},
    action("Test", test, "quiet.small", name),
    action(webhook.isDisabled ? "Resume" : "Pause", pause, "quiet.small", name),
    action("Deliveries", () => showDeliveries(path), "quiet.small", `to ${name}`),
    action("Delete", onceDone(remove, reload), "quiet.small", name));
}

async function showDeliveries(path) {
  const { deliveries } = await api.get(`${path}/deliveries`, { limit: 100 });
  await confirm({
    title: "Deliveries",
    content: table("Deliveries", [
      ["When", ({ at }) => when(at)],
      ["Event", ({ event, attempt }) => [event, attempt > 1 && h("div.faint", {}, `attempt ${attempt}`)]],
      ["Result", ({ status, httpStatus }) => badge(status === "success" ? "ok" : "bad", httpStatus ? `${status}, ${httpStatus}` : status)],
      ["Took", ({ durationMs }) => lengthText(durationMs)],
      ["Message", ({ message }) => message ?? ""],
    ], deliveries, empty("Nothing was sent yet.")),
    button: "Close",
  });
}

function create(project, { events, types }) {
  // Every write of a secret is modified: a lot, and seldom what somebody has to be told.
  const boxes = events.map(({ name, title }) => check(title, { "data-event": name, checked: name !== MODIFIED }));
  const address = text("webhookUrl", "Address", { required: true });
  const key = secret("webhookSecretKey", "Signing key", { hint: "Optional: deliveries are signed with it, so that the receiver can check them." });
  const [label, input] = address.children;
  const adapt = (type) => {
    const isMail = type === "email";
    label.textContent = isMail ? "E-mail address" : "Address";
    input.type = isMail ? "email" : "url";
    input.placeholder = isMail ? "ops@company.example" : "";
    key.hidden = type !== "general";
  };
  const usable = types.filter(({ isAvailable }) => isAvailable);
  adapt(usable[0].name);
  return ask({
    title: `New notification of ${project.name}`,
    content: [
      field("Kind", select("type", usable.map(({ name, title }) => [name, title]), "", { onchange: ({ target }) => adapt(target.value) }),
        usable.some(({ name }) => name === "email") ? null : "E-mail is offered once the server has SMTP settings."),
      address,
      key,
      field("Environment", select("environment", project.environments.map(({ slug, name }) => [slug, name]), "")),
      text("secretPath", "Folders", { value: "/**", required: true, hint: "/ is the root alone, /** everything below; * is any part of a name." }),
      h("fieldset", {}, h("legend", {}, "Events"), boxes, h("p.hint", {}, `With none ticked, these are told: ${titlesOf(events, UNLESS_NAMED)}.`)),
    ],
    button: "Make it",
    act: ({ webhookUrl, webhookSecretKey, ...rest }) => api.post(WEBHOOKS, {
      ...rest,
      projectId: project.id,
      webhookUrl: rest.type === "email" ? `mailto:${webhookUrl}` : webhookUrl,
      webhookSecretKey: webhookSecretKey && rest.type === "general" ? webhookSecretKey : undefined,
      eventsFilter: boxes.map((box) => box.querySelector("input")).filter(({ checked }) => checked).map(({ dataset }) => ({ eventName: dataset.event })),
    }),
  });
}
