// All rotations: searched, filtered and sorted by the server; what is chosen is in the address.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { SEARCH } from "../rotation/api.js";
import { go } from "../router.js";
import { ROTATION_STATES, rotationBadge } from "../states.js";
import { ageText, dateText, when } from "../time.js";
import { announce, busy, empty, field, heading, problem, select, table } from "../ui.js";

const PAGE_SIZE = 50;
/** How long typing rests before the server is asked. */
const TYPING_REST = 250;
const ORDERS = [["name", "Name"], ["nextRotationAt", "Next rotation"], ["keyCreatedAt", "Oldest key"]];
const CHOSEN = ["search", "projectId", "environment", "state", "connectionId", "orderBy"];

export async function render({ query, signal }) {
  const [{ projects }, connections] = await Promise.all([
    api.get("/api/v1/projects"),
    // Who may not list the connections does without that filter.
    api.get("/api/v1/app-connections/aws").then(({ appConnections }) => appConnections, () => []),
  ]);
  const chosen = Object.fromEntries(CHOSEN.map((name) => [name, query.get(name) ?? ""]));
  const results = h("div.card");
  const list = lister(results, chosen, signal);
  await list();
  return [
    heading("Rotations", h("a.button.primary", { href: "/rotations/new" }, "New rotation")),
    filters(chosen, projects, connections, list),
    results,
  ];
}

/** What asks the server for what is chosen, shows it, and keeps the choice in the address. */
function lister(results, chosen, signal) {
  let question = new AbortController();
  return async function list(focus) {
    question.abort();
    question = new AbortController();
    const asked = AbortSignal.any([signal, question.signal]);
    try {
      const { content, next } = await api.page(SEARCH, { ...chosen, pageSize: PAGE_SIZE }, { signal: asked });
      shown(results, chosen, content.rotations, content.totalCount, next, (name) => {
        chosen.orderBy = name;
        remember(chosen);
        return list(name);
      });
      if (focus) results.querySelector(`[data-order="${focus}"]`)?.focus();
      announce(`${content.totalCount} rotations`);
    } catch (fault) {
      if (!asked.aborted) fill(results, problem(fault, () => list()));
    }
  };
}

function remember(chosen) {
  const given = Object.entries(chosen).filter(([, value]) => value);
  history.replaceState(null, "", given.length > 0 ? `/rotations?${new URLSearchParams(given)}` : "/rotations");
}

function filters(chosen, projects, connections, list) {
  let resting = 0;
  const choose = (event) => {
    const { name, value } = event.target;
    chosen[name] = value.trim();
    if (name === "projectId") {
      fill(environment, environmentOptions());
      chosen.environment = environment.value;
    }
    remember(chosen);
    clearTimeout(resting);
    resting = setTimeout(list, event.type === "input" ? TYPING_REST : 0);
  };
  const environmentOptions = () => {
    const within = projects.filter(({ id }) => !chosen.projectId || id === chosen.projectId).flatMap(({ environments }) => environments);
    const names = new Map(within.map(({ slug, name }) => [slug, name]));
    return [["", "All"], ...names].map(([value, text]) => h("option", { value, selected: value === chosen.environment }, text));
  };
  const environment = h("select", { name: "environment" }, environmentOptions());
  const states = Object.entries(ROTATION_STATES).map(([state, [, word]]) => [state, word]);
  const named = (list) => list.map(({ id, name }) => [id, name]);
  return h("form.filters.fields", {
    role: "search",
    "aria-label": "Which rotations",
    onsubmit: (event) => event.preventDefault(),
    onchange: (event) => event.target.name !== "search" && choose(event),
    oninput: (event) => event.target.name === "search" && choose(event),
  },
  field("Search", h("input", { name: "search", type: "search", value: chosen.search, placeholder: "Name or IAM user" })),
  projects.length > 1 && field("Project", select("projectId", [["", "All"], ...named(projects)], chosen.projectId)),
  field("Environment", environment),
  field("State", select("state", [["", "All"], ...states], chosen.state)),
  connections.length > 1 && field("Connection", select("connectionId", [["", "All"], ...named(connections)], chosen.connectionId)),
  field("Order", select("orderBy", ORDERS, chosen.orderBy || "name")));
}

function shown(results, chosen, rows, total, next, order) {
  const sorted = (name, title) => ({
    sort: (chosen.orderBy || "name") === name ? "ascending" : null,
    content: h("button.quiet", { type: "button", dataset: { order: name }, onclick: () => order(name) }, title, (chosen.orderBy || "name") === name && h("span", { "aria-hidden": "true" }, " ↑")),
  });
  const columns = [
    ["Name", (row) => h("a", { href: `/rotations/${row.id}` }, row.name), null, sorted("name", "Name")],
    ["State", (row) => rotationBadge(row.state)],
    ["IAM user", (row) => row.userName],
    ["Place", (row) => h("span", {}, `${row.project.name} / ${row.environment.name}`, h("span.faint", {}, ` ${row.secretPath}`))],
    ["Key age", (row) => (row.keyCreatedAt ? h("span", { title: dateText(row.keyCreatedAt) }, ageText(row.keyCreatedAt)) : "–"), null, sorted("keyCreatedAt", "Key age")],
    ["Next rotation", (row) => when(row.nextRotationAt, "paused"), null, sorted("nextRotationAt", "Next rotation")],
    ["Connection", (row) => h("a", { href: `/connections/${row.connection.id}` }, row.connection.name)],
  ];
  const isFiltered = CHOSEN.some((name) => name !== "orderBy" && chosen[name]);
  const nothing = isFiltered
    ? empty("No rotation is like that.", h("button", { type: "button", onclick: () => go("/rotations") }, "Show all"))
    : empty("No rotations yet. A rotation renews the access key of one IAM user and publishes it as two secrets.", h("a.button", { href: "/rotations/new" }, "Make the first"));
  const more = h("button", { type: "button", async onclick() {
    const from = rows.length;
    try {
      const page = await busy(more, "Loading …", () => api.page(next));
      shown(results, chosen, [...rows, ...page.content.rotations], page.content.totalCount, page.next, order);
      results.querySelectorAll("tbody a[href^='/rotations/']")[from]?.focus();
    } catch (fault) {
      announce(fault.message);
      more.after(h("p.fault", { role: "alert" }, fault.message));
    }
  } }, "Load more");
  fill(results, table("Rotations", columns, rows, nothing),
    rows.length > 0 && h("p.row", {}, h("span.faint", {}, `${rows.length} of ${total}`), next && more));
}
