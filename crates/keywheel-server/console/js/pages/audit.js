// The audit log: who did what, when, from where, and how it ended. The filter is in the address.

import { api, to } from "../api.js";
import { h, fill } from "../dom.js";
import { action, allAccounts, allProjects, pages, text } from "../parts.js";
import { go } from "../router.js";
import { dateText, when } from "../time.js";
import { badge, card, empty, facts, field, form, heading, select, table } from "../ui.js";
import { CHANGES, EVENT_TYPES } from "./audit_events.js";
import { collect, csvOf, download, EXPORT_AT_MOST } from "./audit_export.js";

const LOGS = "/api/v1/organization/audit-logs";
const ON_A_PAGE = 50;
const DAY = 86_400_000;
/** How far back is looked if nothing is said; the API alone looks at today only. */
const DAYS_SHOWN = 7;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The log, as the query filters it. */
export async function render({ query, session, signal }) {
  const given = Object.fromEntries(query);
  const filter = filterOf(given);
  const offset = Number(given.offset) || 0;
  const projects = await allProjects();
  if (projects.length === 0 && session.identity.role !== "admin") {
    return [heading("Audit log"), empty("You are in no project yet, so there are no entries to see. Administrators of the organization see all of them.")];
  }
  // One more than is shown tells whether there is a next page.
  const { auditLogs } = await api.get(LOGS, { ...filter, limit: ON_A_PAGE + 1, offset }).catch((fault) => {
    // Who administers projects only sees the logs of these.
    if (fault.status !== 403 || filter.projectId || projects.length === 0) throw fault;
    go(to("/audit", { ...given, projectId: projects[0].id }), { replace: true });
    return { auditLogs: [] };
  });
  return [
    heading("Audit log"),
    filters(given, filter, projects),
    h("section.card", { "aria-label": "Entries" }, table("Audit log", [
      ["When", ({ createdAt }) => when(createdAt)],
      ["Event", details],
      ["Outcome", ({ event }) => outcome(event.metadata.outcome)],
      ["Who", who],
      ["Where", ({ projectName, event }) => [projectName ?? "Organization", event.metadata.environment && ` · ${event.metadata.environment}`, event.metadata.secretPath && ` ${event.metadata.secretPath}`]],
    ], auditLogs.slice(0, ON_A_PAGE), empty("No entry fits. Widen the dates, or take a filter away.", h("a.button", { href: "/audit" }, "Take all filters away")))),
    pages(offset, ON_A_PAGE, auditLogs.length > ON_A_PAGE, (start) => to("/audit", { ...given, offset: start })),
    exporter(filter, signal),
    card("Proof", h("p", {}, "Each record carries a hash over the one before it. On the server ", h("code", {}, "keywheel audit verify"),
      " proves that none was changed, moved or left out; keep the head that it prints somewhere else, and ask for it with ", h("code", {}, "--expect-head"), ".")),
  ];
}

/** The filter of the API: dates are whole days of UTC. */
function filterOf({ projectId, eventType, changes, actor, from, to: until }) {
  const end = until ? `${until}T23:59:59.999Z` : undefined;
  const start = from || dayOf((until ? Date.parse(until) : Date.now()) - DAYS_SHOWN * DAY);
  return { projectId, eventType: eventType || (changes ? CHANGES.join(",") : undefined), actor, startDate: `${start}T00:00:00.000Z`, endDate: end };
}

const dayOf = (moment) => new Date(moment).toISOString().slice(0, 10);

function filters(given, filter, projects) {
  const types = h("datalist", { id: "event-types" }, EVENT_TYPES.map((value) => h("option", { value })));
  const act = async ({ eventType, actor, ...rest }) => {
    const wanted = { ...rest, eventType: eventType.split(/[\s,]+/).filter(Boolean).join(","), actor: await actorOf(actor) };
    // Asked for first, so that what the API does not take is shown here, at its field.
    await api.get(LOGS, { ...filterOf(wanted), limit: 1 }).catch(atFields);
    go(to("/audit", wanted));
  };
  const all = form({
    content: h("div.fields", {},
      field("Project", select("projectId", [["", "All"], ...projects.map(({ id, name }) => [id, name])], given.projectId ?? "")),
      text("eventType", "Events", { list: "event-types", value: given.eventType ?? "", placeholder: "All" }),
      field("Show", select("changes", [["", "Everything"], ["true", "Changes only"]], given.changes ?? "")),
      text("actor", "Who", { value: given.actor ?? "", placeholder: "Anybody" }),
      field("From", h("input", { type: "date", name: "from", value: filter.startDate.slice(0, 10) })),
      field("To", h("input", { type: "date", name: "to", value: given.to ?? "" })),
      h("p.hint", {}, "Several events with commas, which go before Changes only; who by e-mail, name or id; days of UTC, at most three months."),
    ),
    button: "Filter",
    waiting: "Looking …",
    act,
  });
  all.classList.add("filters");
  all.setAttribute("role", "search");
  return [all, types];
}

/** The fields of the form are called other than those of the API. */
function atFields(refusal) {
  const names = { startDate: "from", endDate: "to" };
  // The API names every type that there is, which is more than fits at a field.
  const shorter = { eventType: "There is no such event: take one that is offered." };
  refusal.faults = refusal.faults?.map(({ path: [name], message }) => ({ path: [names[name] ?? name], message: shorter[name] ?? message }));
  throw refusal;
}

/** The id under which the log has somebody: people act as their account, programs as their identity. */
async function actorOf(given) {
  if (!given || UUID.test(given)) return given;
  const wanted = given.toLowerCase();
  const people = (await allAccounts()).filter(({ email }) => email.toLowerCase().includes(wanted));
  // The identity of an account is called by its e-mail: it is found as well, and nothing was done under its id.
  const { identities } = await api.get("/api/v1/identities", { search: given, limit: people.length + 2 });
  const programs = identities.filter(({ identityId }) => !people.some((person) => person.identityId === identityId));
  const found = [...people.map(({ id, email }) => ({ id, name: email })), ...programs.map(({ identityId, identity }) => ({ id: identityId, name: identity.name }))];
  const one = found.length === 1 ? found[0] : found.find(({ name }) => name.toLowerCase() === wanted);
  if (one) return one.id;
  const message = found.length === 0 ? "Nobody has this in their e-mail or name." : "Several have this in their e-mail or name: type more of it, or the id.";
  throw Object.assign(new Error(message), { faults: [{ path: ["actor"], message }] });
}

function outcome(word) {
  const kinds = { success: "ok", failure: "bad", unknown: "warn", abandoned: "warn" };
  return word ? badge(kinds[word] ?? "idle", word) : h("span.faint", {}, "–");
}

function who({ actor, ipAddress }) {
  const { identityId, name, email } = actor.metadata;
  const names = { platform: "Keywheel itself", unknownUser: "Somebody unknown" };
  return [
    identityId ? h("a", { href: `/access/identities/${identityId}` }, name ?? identityId) : (email ?? names[actor.type] ?? actor.type),
    ipAddress && h("div.faint", {}, ipAddress),
  ];
}

function details(entry) {
  return h("details", {},
    h("summary", {}, h("code", {}, entry.event.type)),
    facts([["At", h("time", { datetime: entry.createdAt }, dateText(entry.createdAt))], ["Entry", h("code", {}, entry.id)], ["Client", entry.userAgent],
      ...Object.entries(entry.event.metadata).map(([name, value]) => [name, h("code", {}, typeof value === "string" ? value : JSON.stringify(value))])]));
}

function exporter(filter, signal) {
  const told = h("p", { "aria-live": "polite" });
  const run = async (ending, type, write) => {
    const { entries, isCut } = await collect(filter, (count) => fill(told, `${count} entries so far …`), signal);
    if (signal.aborted) return;
    download(`keywheel-audit-${dayOf(Date.now())}.${ending}`, type, write(entries));
    fill(told, `${entries.length} entries are in the file.`, isCut && " There may be more: narrow the filter, or use the API.");
  };
  return card("Export",
    h("p", {}, `What the filter finds, at most ${EXPORT_AT_MOST.toLocaleString("en")} entries, latest first. The file has no secrets in it; it does not carry the proof.`),
    h("div.actions", {},
      action("Export as JSON", () => run("json", "application/json", (entries) => JSON.stringify(entries, null, 2))),
      action("Export as CSV", () => run("csv", "text/csv", csvOf))),
    told);
}
