// Moments and lengths of time, for people. Moments come as ISO texts; `<time>` keeps the exact one.

import { h } from "./dom.js";

const DAY = 86_400_000;
/** A unit, its length, and from which distance it is used: "in 45 days" says more than "next month". */
const UNITS = [["year", 365 * DAY, 730 * DAY], ["month", 30 * DAY, 120 * DAY], ["day", DAY, DAY], ["hour", 3_600_000, 3_600_000], ["minute", 60_000, 60_000], ["second", 1_000, 1_000]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** `2026-11-21 09:30 UTC`-like text of a moment. */
export function dateText(moment) {
  return `${exact.format(new Date(moment))} UTC`;
}

const dayOnly = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** `21 Nov 2026`: the day of a moment, in UTC. */
export function dayText(moment) {
  return dayOnly.format(new Date(moment));
}

/** `in 3 days`, `2 hours ago`. */
export function fromNow(moment, now = Date.now()) {
  const away = new Date(moment) - now;
  const [unit, length] = UNITS.find(([, , from]) => Math.abs(away) >= from) ?? ["second", 1_000];
  return relative.format(Math.trunc(away / length), unit);
}

/** An element that says how far away a moment is, and the exact one on demand. Nothing becomes a dash. */
export function when(moment, absent = "–") {
  if (!moment) return h("span.faint", {}, absent);
  return h("time.away", { datetime: moment, title: dateText(moment) }, fromNow(moment));
}

/** Says anew how far away the moments on the page are. */
export function tellTimes() {
  for (const time of document.querySelectorAll("time.away")) {
    const text = fromNow(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}

/** `950 ms`, `12.3 s`, `3 min`. */
export function lengthText(milliseconds) {
  if (milliseconds < 1_000) return `${milliseconds} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  if (milliseconds < 3_600_000) return `${Math.round(milliseconds / 60_000)} min`;
  return milliseconds < 2 * DAY ? `${Math.round(milliseconds / 3_600_000)} h` : `${Math.round(milliseconds / DAY)} days`;
}

/** An element with the exact moment; nothing becomes a dash. */
export function exactly(moment, absent = "–") {
  return moment ? h("time", { datetime: moment, title: fromNow(moment) }, dateText(moment)) : h("span.faint", {}, absent);
}

/** `34 days`, `1 day`, `5 h`: how long ago a moment is. */
export function ageText(moment, now = Date.now()) {
  const days = ageDays(moment, now);
  if (days < 1) return lengthText(Math.max(0, Math.floor((now - new Date(moment)) / 60_000) * 60_000)).replace(/^0 ms$/, "under a minute");
  return days === 1 ? "1 day" : `${days} days`;
}

/** Whole days since a moment. */
export function ageDays(moment, now = Date.now()) {
  return Math.floor((now - new Date(moment)) / DAY);
}
