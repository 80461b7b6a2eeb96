// What several pages are made of beside the parts of ui.js: dialogs with fields, regions that load by themselves, and
// small pieces.

import { api } from "./api.js";
import { h, fill } from "./dom.js";
import { confirm, copyable, field, notify, told, wayOut } from "./ui.js";

/**
 * The values of a form as the body of a request: `credentials.roleArn` becomes `{credentials: {roleArn}}`, so that the
 * names of fields are the paths of faults as well. Spaces around them were not meant, except in secrets.
 */
export function nested(values) {
  const body = {};
  for (const [name, value] of Object.entries(values)) {
    const parts = name.split(".");
    const last = parts.pop();
    let place = body;
    for (const part of parts) place = place[part] ??= {};
    place[last] = /password|value|key$/i.test(last) ? value : value.trim();
  }
  return body;
}

/** `ui.confirm` whose `act` gets nested values. */
export function ask({ act, ...rest }) {
  return confirm({ ...rest, act: (values) => act(nested(values)) });
}

/** Work whose end, if it was not called off, is followed by something else. */
export const onceDone = (work, next) => async () => {
  const done = await work();
  if (done) await next(done);
};

/** Asks before something is taken away for good, and tells that it is. */
export function removal({ title, text: consequence, path, body, button = "Delete", done }) {
  return confirm({
    title, button, danger: true, content: h("p", {}, consequence),
    act: async () => {
      await api.delete(path, body);
      notify(done);
    },
  });
}

/** Links to the pages before and after; nothing if there is one page. `at` answers the address of a page by its offset. */
export function pages(offset, size, hasMore, at) {
  return (offset > 0 || hasMore) && h("nav.row", { "aria-label": "Pages" },
    offset > 0 && h("a.button", { href: at(Math.max(offset - size, 0) || ""), rel: "prev" }, "Before"),
    h("span", {}, `Page ${Math.floor(offset / size) + 1}`),
    hasMore && h("a.button", { href: at(offset + size), rel: "next" }, "Next"));
}

/**
 * A button that does one thing at a time; a refusal is told as a notice. `about` completes its text for who cannot see
 * the row that it is in.
 */
export function action(text, work, kind, about) {
  let working = false;
  const onclick = async () => {
    if (working) return;
    working = true;
    try {
      await work();
    } catch (refusal) {
      notify(told(refusal), "bad");
    } finally {
      working = false;
    }
  };
  return h(kind ? `button.${kind}` : "button", { type: "button", onclick }, text, about && h("span.sr", {}, ` ${about}`));
}

/**
 * A part of a page that loads by itself, again whenever `reload` is called. Its failure leaves the rest of the page.
 * @param {() => Promise<any>} load answers nodes
 * @returns {{place: HTMLElement, reload: () => Promise<void>}}
 */
export function region(load) {
  const place = h("div.stack", { tabindex: "-1", "aria-busy": "true" }, h("p.faint", {}, "Loading …"));
  let turn = 0;
  async function reload() {
    turn += 1;
    const mine = turn;
    let content;
    try {
      content = await load();
    } catch (fault) {
      content = trouble(fault, reload);
    }
    // A later reload has the newer answer, whichever comes first.
    if (mine !== turn) return;
    const hadFocus = place.contains(document.activeElement);
    fill(place, content);
    place.removeAttribute("aria-busy");
    if (hadFocus) place.focus({ preventScroll: true });
  }
  // Not before the caller holds the region: what is loaded may want to reload it.
  queueMicrotask(reload);
  return { place, reload };
}

function trouble(fault, again) {
  return h("div.problem", { role: "alert" }, h("p", {}, told(fault)), wayOut(fault, again));
}

/** What is shown only this once, until it is put away by hand: a dialog could be closed by accident. */
export function shownOnce(title, text, note) {
  const panel = h("div.callout.warn", { tabindex: "-1", role: "group", "aria-label": title },
    h("p", {}, h("strong", {}, title)), h("p", {}, note), copyable(text), h("p", {}, h("button", { type: "button", onclick: () => panel.remove() }, "I have kept it")));
  setTimeout(() => panel.focus());
  return panel;
}

/** Links between the sections of a page: `[["people", "People"], …]`, kept as `?section=`. */
export function tabs(label, path, sections, current) {
  return h("nav.tabs", { "aria-label": label }, h("ul", {}, sections.map(([name, title]) =>
    h("li", {}, h("a", { href: `${path}?section=${name}`, "aria-current": name === current ? "page" : null }, title)))));
}

/** A field of the kind that most are. */
export function text(name, label, { hint, ...properties } = {}) {
  return field(label, h("input", { name, type: "text", autocomplete: "off", spellcheck: "false", ...properties }), hint);
}

/** A field for a secret: not shown, not remembered. */
export function secret(name, label, properties = {}) {
  return text(name, label, { type: "password", ...properties });
}

/** `1 rotation`, `2 rotations`. */
export function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** All projects that the caller may see. */
export async function allProjects() {
  return (await api.get("/api/v1/projects")).projects;
}

/** The accounts of people; none for who may not list them. */
export async function allAccounts() {
  try {
    return (await api.get("/api/v1/accounts")).accounts;
  } catch (fault) {
    if (fault.status === 403) return [];
    throw fault;
  }
}

const LAST_PROJECT = "keywheel.project";

/** All projects, and the one that a page is about: that of the query, or the last one, or any; none if there is none. */
export async function projectOf(query) {
  const projects = await allProjects();
  const wanted = query.get("projectId") ?? localStorage.getItem(LAST_PROJECT);
  const project = projects.find(({ id }) => id === wanted) ?? projects[0];
  if (project) localStorage.setItem(LAST_PROJECT, project.id);
  return { projects, project };
}
