// Everything at a glance: is every rotation healthy, is every key young, what comes next, what waits for a person.

import { api } from "../api.js";
import { fill, h, s } from "../dom.js";
import { codeOf, FAULTS } from "../faults.js";
import { action } from "../parts.js";
import { go } from "../router.js";
import { ROTATION_STATES, rotationBadge } from "../states.js";
import { ageDays, ageText, when } from "../time.js";
import { badge, card, empty, heading, select } from "../ui.js";
import { newProject } from "./secret_places.js";

/** While something rotates, the page looks again. */
const LOOK_AGAIN = 5_000;
/** Of what fails, as many as leave room for the rest of the page. */
const FAILING_SHOWN = 4;
/** A key should not be older: CIS AWS 1.14. */
const AGE_MAX_DAYS = 90;

export async function render({ session, query, signal, every }) {
  const projectId = query.get("projectId") ?? "";
  const load = async () => (await api.get("/api/v2/secret-rotations/overview", { projectId }, { signal })).overview;
  const [overview, { projects }] = await Promise.all([load(), api.get("/api/v1/projects")]);
  const choice = projects.length > 1 && h("label.row", {}, h("span.sr", {}, "Project"), select("projectId",
    [["", "All projects"], ...projects.map(({ id, name }) => [id, name])], projectId,
    { onchange: ({ target }) => go(target.value ? `/?projectId=${target.value}` : "/") }));
  const parts = (latest) => (latest.totalCount === 0 ? firstSteps(session, projects) : figures(latest, projectId));
  const body = h("div.stack", {}, parts(overview));
  const stop = every(LOOK_AGAIN, async () => {
    const latest = await load().catch(() => null);
    if (latest) fill(body, parts(latest));
    if (latest?.states.rotating === 0) stop();
  });
  if (overview.states.rotating === 0) stop();
  return [heading("Overview", choice, h("a.button.primary", { href: "/rotations/new" }, "New rotation")), body];
}

function figures(overview, projectId) {
  return [
    tiles(overview.states, projectId),
    overview.decisionsCount > 0 && decisions(overview),
    overview.failing.length > 0 && failing(overview, projectId),
    h("div.cards", {}, ages(overview), dueNext(overview)),
  ];
}

function firstSteps({ identity: { role } }, projects) {
  if (projects.length === 0 && role !== "admin") {
    return empty("You are in no project yet, so there is nothing to see. Ask an administrator of a project to add you.",
      role === "member" && action("Make a project of your own", makeProject));
  }
  const link = (href) => (text) => h("a.button", { href }, text);
  const steps = [
    projects.length === 0 && ["Make a project", (text) => action(text, makeProject)],
    ["Connect an AWS account", link("/connections/new")],
    ["Make a rotation", link("/rotations/new")],
  ].filter(Boolean);
  return empty("Nothing rotates yet. A few steps, and the first key is looked after:",
    h("p.actions", { style: { "justify-content": "center" } }, steps.map(([text, step], at) => step(`${at + 1}. ${text}`))));
}

/** The next step is on this page again. */
async function makeProject() {
  if (await newProject()) go("/");
}

function tiles(states, projectId) {
  const tile = ([state, [kind, word]]) => h("li", {},
    h("a", { href: `/rotations?${new URLSearchParams({ state, ...(projectId && { projectId }) })}` },
      h("strong", {}, states[state] ?? 0), states[state] > 0 ? badge(kind, word) : badge("plain", word)));
  return h("section", { "aria-label": "Rotations by state" }, h("ul.tiles", {}, Object.entries(ROTATION_STATES).map(tile)));
}

const linkTo = (row) => h("a", { href: `/rotations/${row.id}` }, row.name);
const placeOf = (row) => h("span.faint.small", {}, `${row.project.name} / ${row.environment.name} ${row.secretPath}`);

function decisions({ decisions, decisionsCount }) {
  const rows = decisions.map(({ rotation, accessKeyId, kind, since }) => h("li", {},
    h("div.row", {}, h("span", {}, badge(kind === "suspect" ? "bad" : "warn", kind === "suspect" ? "Suspect" : "Foreign key"), " ", h("code", {}, accessKeyId)), when(since)),
    h("p", {}, linkTo(rotation), kind === "suspect"
      ? ": this key may be Keywheel's, its secret is lost. Say whose it is."
      : ": somebody else made this key, and it is in the way. Hand it over, or delete it in IAM.")));
  return card(`Needs a decision (${decisionsCount})`, h("ul.list", {}, rows),
    decisionsCount > rows.length && h("p.faint", {}, `The first ${rows.length} are shown.`));
}

function failing({ failing, states }, projectId) {
  const rows = failing.slice(0, FAILING_SHOWN).map((row) => {
    const code = codeOf(null, row.lastRotationMessage);
    return h("li", {},
      h("div.row", {}, h("span", {}, rotationBadge(row.state), " ", linkTo(row), " ", placeOf(row)), h("span.faint", {}, "next attempt ", when(row.nextRotationAt, "none: paused"))),
      h("p", {}, row.lastRotationMessage),
      h("p", {}, h("strong", {}, "What to do: "), code ? [FAULTS[code][1], " ", h("a", { href: `/help#${code}` }, "More")] : h("a", { href: `/rotations/${row.id}` }, "See the rotation")));
  });
  const all = states.failing > rows.length && h("p", {}, h("a", { href: `/rotations?${new URLSearchParams({ state: "failing", projectId })}` }, `All ${states.failing}`));
  return card("Failing", h("ul.list", {}, rows), all);
}

function dueNext({ dueNext }) {
  const rows = dueNext.map((row) => h("li.row", {}, h("span", {}, linkTo(row), " ", placeOf(row)), when(row.nextRotationAt)));
  return card("Due next", rows.length > 0 ? h("ul.list", {}, rows) : h("p.faint", {}, "Nothing: automatic rotation is off everywhere."));
}

function ages({ keyAges, oldestKeyCreatedAt }) {
  const bands = keyAges.map(({ upToDays, count }, at) => {
    const from = at === 0 ? 0 : keyAges[at - 1].upToDays;
    const isOld = upToDays === null || upToDays > AGE_MAX_DAYS;
    return { count, isOld, isLate: !isOld && from >= AGE_MAX_DAYS * (2 / 3), text: upToDays === null ? `over ${from} days` : at === 0 ? `under ${upToDays} days` : `${from} to ${upToDays} days` };
  });
  const old = bands.filter((band) => band.isOld).reduce((sum, { count }) => sum + count, 0);
  return card("Keys by age",
    h("p", {}, old === 0 ? badge("ok", `No key is older than ${AGE_MAX_DAYS} days`) : badge("bad", `${old} older than ${AGE_MAX_DAYS} days`)),
    bars(bands),
    oldestKeyCreatedAt && h("p", {}, "The oldest is ", ageText(oldestKeyCreatedAt), " old.", ageDays(oldestKeyCreatedAt) > AGE_MAX_DAYS && [" ", h("a", { href: "/rotations?orderBy=keyCreatedAt" }, "Oldest first")]));
}

function bars(bands) {
  const [width, height, left, right] = [340, 30, 96, 48];
  const most = Math.max(1, ...bands.map(({ count }) => count));
  const row = ({ text, count, isOld, isLate }, at) => {
    const length = (count / most) * (width - left - right);
    const middle = at * height + height / 2 + 4;
    return [
      s("text", { x: 0, y: middle }, text),
      s("rect.track", { x: left, y: at * height + 6, width: width - left - right, height: 18, rx: 4 }),
      count > 0 && s(`rect.fill-${isOld ? "bad" : isLate ? "warn" : "ok"}`, { x: left, y: at * height + 6, width: Math.max(4, length), height: 18, rx: 4 }),
      s("text", { x: width - right + 10, y: middle }, `${count}${isOld && count > 0 ? " !" : ""}`),
    ];
  };
  const text = bands.map(({ text, count }) => `${count} ${text}`).join(", ");
  return s("svg.bars", { viewBox: `0 0 ${width} ${bands.length * height}`, role: "img", "aria-label": `Keys by age: ${text}` }, bands.map(row));
}
