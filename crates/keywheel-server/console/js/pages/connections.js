// The connections to AWS accounts.

import { api } from "../api.js";
import { h } from "../dom.js";
import { when } from "../time.js";
import { card, empty, heading, table } from "../ui.js";
import { accountOf, METHODS } from "./connection_parts.js";

/** How many are shown with the number of their rotations, which costs a question each. */
const COUNTED_AT_MOST = 30;

/** The list of connections. */
export async function render({ signal }) {
  const { appConnections } = await api.get("/api/v1/app-connections/aws");
  appConnections.sort((one, other) => one.name.localeCompare(other.name));
  const uses = new Map(appConnections.slice(0, COUNTED_AT_MOST).map(({ id }) => [id, h("span", {}, "…")]));
  countUses(uses, signal);
  const add = h("a.button.primary", { href: "/connections/new" }, "New connection");
  return [
    heading("Connections", appConnections.length > 0 && add),
    h("p", {}, "A connection is the way into one AWS account. Rotations work through it."),
    card("All connections", table("Connections", [
      ["Name", ({ id, name, description }) => [h("a", { href: `/connections/${id}` }, name), description && h("div.faint", {}, description)]],
      ["Method", ({ method }) => METHODS[method]?.title ?? method],
      ["Account or key", (connection) => h("code", {}, accountOf(connection) ?? connection.credentials.accessKeyId ?? "–")],
      ["For", ({ project }) => project?.name ?? "Whole organization"],
      ["Rotations you see", ({ id }) => uses.get(id) ?? h("a", { href: `/rotations?connectionId=${id}` }, "Show")],
      ["Changed", ({ updatedAt }) => when(updatedAt)],
    ], appConnections, empty("No connection yet. Make one first: it lets Keywheel into your AWS account, and rotations work through it.", add))),
  ];
}

/** Fills in how many rotations that the caller sees use each, one question after the other, while the page is shown. */
async function countUses(uses, signal) {
  for (const [connectionId, place] of uses) {
    if (signal.aborted) return;
    const count = await api.get("/api/v2/secret-rotations/search", { connectionId, pageSize: 1 }).then((found) => found.totalCount, () => null);
    place.replaceChildren(count === 0 ? "none" : h("a", { href: `/rotations?connectionId=${connectionId}` }, count ?? "Show"));
  }
}
