// Words for what rotations, keys and runs are in, the same on every page.

import { badge } from "./ui.js";

/** The states of a rotation: `state: [kind of badge, word]`, the worst first. */
export const ROTATION_STATES = {
  failing: ["bad", "Failing"],
  overdue: ["warn", "Overdue"],
  rotating: ["busy", "Rotating"],
  paused: ["idle", "Paused"],
  healthy: ["ok", "Healthy"],
};

/** The states of a key in the ledger. */
export const KEY_STATES = {
  pending: ["busy", "Created"],
  verified: ["busy", "Verified"],
  published: ["ok", "Published"],
  displaced: ["warn", "Displaced"],
  deactivated: ["idle", "Inactive"],
  deleted: ["idle", "Deleted"],
  orphan_suspect: ["bad", "Suspect"],
  unmanaged: ["warn", "Foreign"],
  lost: ["bad", "Lost"],
};

const OUTCOMES = {
  running: ["busy", "Running"],
  published: ["ok", "Published"],
  settled: ["ok", "Done"],
  revoked: ["ok", "Revoked"],
  parked: ["warn", "Waits"],
  failed: ["bad", "Failed"],
  interrupted: ["warn", "Interrupted"],
};

const shown = (words, state) => badge(...(words[state] ?? ["idle", state]));

/** The badge of a rotation's state. */
export const rotationBadge = (state) => shown(ROTATION_STATES, state);
/** The badge of a key's state. */
export const keyBadge = (state) => shown(KEY_STATES, state);
/** The badge of how a run ended. */
export const outcomeBadge = (outcome) => shown(OUTCOMES, outcome);
