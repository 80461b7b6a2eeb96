// The audit log as a file, made in the browser of what a filter finds.

import { api } from "../api.js";

/** As many as the API gives at once. */
const AT_ONCE = 1_000;
/** What a browser holds without trouble; more than this belongs in a program that uses the API. */
export const EXPORT_AT_MOST = 10_000;

/**
 * All entries that a filter finds, at most `EXPORT_AT_MOST`. `told` is called with how many there are so far.
 * @returns {Promise<{entries: object[], isCut: boolean}>}
 */
export async function collect(filter, told, signal) {
  // With a fixed end new entries do not push others from one page to the next.
  const fixed = { ...filter, endDate: filter.endDate ?? new Date().toISOString() };
  const entries = [];
  for (let more = true; more && entries.length < EXPORT_AT_MOST && !signal.aborted;) {
    const { auditLogs } = await api.get("/api/v1/organization/audit-logs", { ...fixed, limit: AT_ONCE, offset: entries.length });
    entries.push(...auditLogs);
    more = auditLogs.length === AT_ONCE;
    told(entries.length);
  }
  return { entries, isCut: entries.length >= EXPORT_AT_MOST };
}

const COLUMNS = [
  ["id", (entry) => entry.id],
  ["createdAt", (entry) => entry.createdAt],
  ["event", (entry) => entry.event.type],
  ["outcome", (entry) => entry.event.metadata.outcome],
  ["actorType", (entry) => entry.actor.type],
  ["actorId", (entry) => entry.actor.metadata.identityId ?? entry.actor.metadata.userId],
  ["actorName", (entry) => entry.actor.metadata.name ?? entry.actor.metadata.email],
  ["projectId", (entry) => entry.projectId],
  ["projectName", (entry) => entry.projectName],
  ["ipAddress", (entry) => entry.ipAddress],
  ["userAgent", (entry) => entry.userAgent],
  ["metadata", (entry) => JSON.stringify(entry.event.metadata)],
];

/** Entries as CSV (RFC 4180). */
export function csvOf(entries) {
  const lines = [COLUMNS.map(([name]) => name), ...entries.map((entry) => COLUMNS.map(([, value]) => value(entry)))];
  return lines.map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** A cell that begins like a formula would be run by a spreadsheet: names come from outside. */
function cell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hands a text to the browser's downloads. */
export function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // Not at once: the browser may not have begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
