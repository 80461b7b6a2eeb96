// The key wheel: a picture of the life of each key, and the same as a table.

import { fill, h, s } from "./dom.js";
import { livesOf } from "./rotation/lives.js";
import { KEY_STATES } from "./states.js";
import { dateText, fromNow } from "./time.js";
import { table } from "./ui.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Distances of the marks of the scale that read well. */
const TICKS = [5_000, 15_000, 60_000, 5 * 60_000, 15 * 60_000, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 60 * DAY, 90 * DAY, 180 * DAY, 365 * DAY];
/** Keys in the picture; the table has them all. */
const LANES_MAX = 6;
const LANE = 54;
const BAR = 18;
const TOP = 22;
const BOTTOM = 24;
/** Room at both sides, so that a mark at the end is whole. */
const EDGE = 8;
/** Nothing that happened is too short to be seen. */
const SHORTEST = 5;
/** Where now is, in parts of the width: what was and what is planned both have room, each with a scale of its own. */
const NOW = { earliest: 0.4, latest: 0.8 };
/** How far the picture reaches beyond the next rotation, in parts of what is ahead. */
const BEYOND = 0.15;

/** What a key goes through: the colour, the pattern, and the sign of the beginning. */
const PHASES = {
  Created: ["busy", "dots", "○"],
  Verified: ["busy", null, "✓"],
  Published: ["ok", null, "▲"],
  Displaced: ["warn", "slant", "▼"],
  Inactive: ["idle", "upright", "‖"],
  Foreign: ["warn", "cross", "○"],
  Suspect: ["bad", "cross", "○"],
  "Not recorded": ["unknown", null, "?"],
};
/** In every legend; the others where they occur. */
const USUAL = new Set(["Created", "Verified", "Published", "Displaced", "Inactive"]);

/**
 * The picture with its legend and its table. It draws itself again when its width changes.
 * @param {object[]} keys the ledger
 * @param {object[]} runs all on record
 * @param {{nextRotationAt: string | null, rotationInterval: number}} rotation
 * @param {AbortSignal} signal ends the watching of the width
 */
export function wheel(keys, runs, rotation, signal) {
  const picture = h("div");
  const lives = livesOf(keys, runs);
  let drawn = 0;
  const watch = new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (width === drawn || width === 0) return;
    drawn = width;
    fill(picture, draw(lives.slice(0, LANES_MAX), rotation, width));
  });
  watch.observe(picture);
  signal.addEventListener("abort", () => watch.disconnect());
  return [
    picture,
    legend(lives),
    lives.length > LANES_MAX && h("p.faint", {}, `The ${LANES_MAX} latest of ${lives.length} keys are drawn.`),
    h("details", {}, h("summary", {}, "The same as a table"), asTable(lives)),
  ];
}

/** When the next change of a key is planned. */
function planOf({ endedAt, state, nextChange }, { nextRotationAt }) {
  const planned = endedAt ? null : nextChange?.at ?? (state === "published" ? nextRotationAt : null);
  return planned ? Date.parse(planned) : null;
}

/** Two scales that meet at now. Their marks say how much time each shows. */
function scaleOf(lives, { nextRotationAt }, width, now) {
  const from = Math.min(now - 10_000, ...lives.map((life) => life.from));
  const planned = [nextRotationAt && Date.parse(nextRotationAt), ...lives.map(({ planned }) => planned)].filter((moment) => moment > now);
  const ahead = planned.length > 0 ? (Math.max(...planned) - now) * (1 + BEYOND) : 0;
  const share = ahead === 0 ? 0.97 : Math.min(NOW.latest, Math.max(NOW.earliest, (now - from) / (now - from + ahead)));
  const inner = width - 2 * EDGE;
  const middle = EDGE + share * inner;
  const at = (moment) => (moment <= now
    ? EDGE + (Math.max(0, moment - from) / (now - from)) * share * inner
    : middle + (ahead === 0 ? 0 : Math.min(1, (moment - now) / ahead) * (1 - share) * inner));
  return { now, from, to: now + ahead, at };
}

function draw(past, rotation, width) {
  const now = Date.now();
  // One now for the bars and for the scale, also when it is drawn again later.
  const lives = past.map((life) => ({ ...life, last: life.end ?? now, planned: planOf(life.key, rotation), parts: life.parts.map((part) => ({ ...part, until: part.until ?? now })) }));
  const scale = scaleOf(lives, rotation, width, now);
  const lanes = lives.map((life, index) => ({ ...life, top: TOP + index * LANE, label: labelOf(life, scale, width) }));
  const height = TOP + lives.length * LANE + BOTTOM;
  const text = lives.map(({ key }) => `${key.accessKeyId} ${(KEY_STATES[key.state]?.[1] ?? key.state).toLowerCase()}`).join(", ");
  const next = rotation.nextRotationAt ? `; the next rotation is ${fromNow(rotation.nextRotationAt)}` : "";
  const ahead = scale.at(now);
  return s("svg.wheel", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `The lives of ${lives.length} keys: ${text}${next}. A table with the moments follows.` },
    patterns(),
    s("rect.ahead", { x: ahead, y: TOP, width: width - ahead, height: height - TOP - BOTTOM }),
    ticks(scale.from, scale.now, scale.at, height),
    scale.to > scale.now && ticks(scale.now, scale.to, scale.at, height),
    lines(scale, rotation, width, lanes),
    lanes.map((life) => lane(life, scale)));
}

/** Signs beside the colours. */
function patterns() {
  const pattern = (id, path) => s("pattern", { id: `wheel-${id}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" }, s("path.hatch", { d: path }));
  return s("defs", {},
    pattern("slant", "M-2 10 10 -2M-2 2 2 -2M6 10 10 6"),
    pattern("upright", "M4 0V8"),
    pattern("cross", "M0 0 8 8M0 8 8 0"),
    pattern("dots", "M0 4H3"));
}

function block(x, y, width, kind, pattern, title) {
  const box = { x, y, width, height: BAR, rx: 3 };
  return s("g", {}, title && s("title", {}, title), s(`rect.fill-${kind}`, box), pattern && s("rect", { ...box, fill: `url(#wheel-${pattern})` }));
}

/** The room above a bar, and the width of a letter of a label, in pixels. */
const LABEL = 22;
const LETTER = 7.3;

/** The words above the bar of a key, and where. */
function labelOf({ key, from }, { at }, width) {
  const [, state] = KEY_STATES[key.state] ?? [null, key.state];
  const word = key.held ? `${state}, held` : state;
  const length = (key.accessKeyId.length + word.length) * LETTER + 16;
  return { word, length, x: Math.max(EDGE, Math.min(at(from), width - length)) };
}

function lane({ key, parts, planned, last, end, top: y, label }, { at, to }) {
  const top = y + LABEL;
  const stop = at(last);
  const blocks = parts.map(({ at: from, until, word }) => {
    const [kind, pattern] = PHASES[word];
    return block(at(from), top, Math.max(at(until) - at(from), SHORTEST), kind, pattern, word === "Not recorded" ? "Not recorded: the runs of then are gone" : `${word} ${dateText(new Date(from))}`);
  });
  return s("g", {},
    s("text", { x: label.x, y: y + 16 }, s("tspan.mono", {}, key.accessKeyId), s("tspan.faint", { dx: 8 }, label.word)),
    planned > last && future(key, stop, at(planned), at(to), top), blocks, marks(parts, at, top), end !== null && s("text", { x: stop + 5, y: top + 13 }, "✕"));
}

/** What is planned: the state goes on, and the one that follows it begins. */
function future({ state, nextChange }, from, change, end, top) {
  const [now, next] = state === "published" ? ["ok", "warn"] : state === "displaced" ? ["warn", nextChange?.withNextRotation ? null : "idle"] : ["idle", null];
  const box = (kind, x, until) => s(`rect.future.future-${kind}`, { x, y: top + 0.5, width: Math.max(until - x, SHORTEST), height: BAR - 1, rx: 3 });
  return [next && end > change && box(next, change, end), box(now, from, change), !next && s("text", { x: change + 5, y: top + 13 }, "✕")];
}

/** The sign where a part begins; of signs that would lie on each other only the last is drawn. */
function marks(parts, at, top) {
  const apart = 16;
  const shown = parts.filter((part, index) => index === parts.length - 1 || at(parts[index + 1].at) - at(part.at) >= apart);
  return shown.map(({ at: moment, word }) => s("g", {},
    s("circle.mark", { cx: Math.max(at(moment), EDGE), cy: top + BAR / 2, r: 7.5 }),
    s("text.sign", { x: Math.max(at(moment), EDGE), y: top + BAR / 2 + 3.5 }, PHASES[word][2])));
}

function ticks(from, to, at, height) {
  const room = Math.max(1, Math.floor((at(to) - at(from)) / 95));
  const step = TICKS.find((step) => (to - from) / step <= room) ?? 365 * DAY * Math.ceil((to - from) / (365 * DAY * room));
  const fields = step >= DAY ? { day: "numeric", month: "short", ...(to - from > 300 * DAY && { year: "2-digit" }) } : { hour: "2-digit", minute: "2-digit", ...(step < 60_000 && { second: "2-digit" }) };
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...fields });
  const marks = [];
  for (let moment = Math.ceil(from / step) * step; moment <= to; moment += step) {
    const x = at(moment);
    marks.push(s("line.grid", { x1: x, x2: x, y1: TOP, y2: height - BOTTOM }));
    // Not where it would stick out, or lie on a mark of the other scale.
    if (x > at(from) + 22 && x < at(to) - 22) marks.push(s("text.faint", { x, y: height - 7, "text-anchor": "middle" }, format.format(moment)));
  }
  return s("g", {}, marks);
}

/** Widths of the two words above the lines, in pixels. */
const NOW_WIDTH = 28;
const NEXT_WIDTH = 84;

/** Now and the next rotation. Their words stay inside the picture and apart from each other; the lines cross no label. */
function lines({ now, at }, { nextRotationAt }, width, lanes) {
  const middle = (x, length, most = width) => Math.max(length / 2, Math.min(x, most - length / 2));
  const line = (kind, x, word, middle) => [
    s(`path.${kind}`, { d: lanes.map(({ top, label }, index) => {
      const isInTheWay = x > label.x - 4 && x < label.x + label.length;
      return `M${x} ${isInTheWay ? top + LABEL - 2 : top - (index === 0 ? 6 : 2)}V${top + LANE - 2}`;
    }).join("") }),
    s("text", { x: middle, y: 12, "text-anchor": "middle" }, word),
  ];
  const x = at(now);
  if (!nextRotationAt) return line("now", x, "now", middle(x, NOW_WIDTH));
  const nextX = at(Date.parse(nextRotationAt));
  const nextMiddle = middle(nextX, NEXT_WIDTH);
  return [line("next", nextX, "next rotation", nextMiddle), line("now", x, "now", middle(x, NOW_WIDTH, nextMiddle - NEXT_WIDTH / 2 - 4))];
}

function legend(lives) {
  const occurring = new Set(lives.flatMap(({ parts }) => parts.map(({ word }) => word)));
  const entry = ([word, [kind, pattern, sign]]) => h("li", {},
    s("svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }, block(0, 0, 32, kind, pattern)), `${sign} ${word}`);
  return h("ul.legend", { "aria-label": "Legend" },
    Object.entries(PHASES).filter(([word]) => USUAL.has(word) || occurring.has(word)).map(entry),
    h("li", {}, "✕ Deleted"),
    h("li", {}, s("svg", { viewBox: "0 0 32 16", "aria-hidden": "true" }, s("rect.future", { x: 1, y: 1, width: 30, height: 14 })), "Planned"));
}

/** Phases may be as short as a check of a key takes. */
const toTheSecond = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });

/** A row for each phase. */
function asTable(lives) {
  const text = (moment, absent) => (moment === null ? h("span.faint", {}, absent) : h("time", { datetime: new Date(moment).toISOString(), title: fromNow(moment) }, `${toTheSecond.format(moment)} UTC`));
  const rows = lives.flatMap(({ key, parts, end }) => [...parts, ...(end === null ? [] : [{ word: "Deleted", at: end, until: null }])].map((part) => ({ key, ...part })));
  return table("The lives of the keys", [
    ["Key", ({ key }) => h("code", {}, key.accessKeyId)],
    ["Phase", ({ word }) => word],
    ["From", ({ at }) => text(at)],
    ["Until", ({ until, word }) => text(until, word === "Deleted" ? "–" : "now")],
  ], rows);
}
