// Where a rotation and what belongs to it are in the API.

import { api } from "../api.js";

/** Rotations of all kinds, each with its state. */
export const SEARCH = "/api/v2/secret-rotations/search";

/** The rotations of access keys of IAM users. */
export const ROTATIONS = "/api/v2/secret-rotations/aws-iam-user-secret";

/** The address of a rotation, or of a part of it: `addressOf(id, "keys")`. */
export function addressOf(id, ...parts) {
  return [ROTATIONS, id, ...parts].map((part, index) => (index === 0 ? part : encodeURIComponent(part))).join("/");
}

/** Runs in the history of a page. */
export const RUNS_SHOWN = 20;
/** As many as the server keeps: the lives of the keys are told from them. */
const RUNS_KEPT = 100;

/** The latest runs, the latest first. */
export async function runsOf(id, limit = RUNS_SHOWN) {
  return (await api.get(addressOf(id, "runs"), { limit })).runs;
}

/** How a rotation stands. The server alone knows the rule, and says it in its search only. */
async function stateOf({ id, name, projectId, environment, connectionId }) {
  const { rotations } = await api.get(SEARCH, { projectId, environment: environment.slug, connectionId, search: name });
  return rotations.find((row) => row.id === id)?.state;
}

/**
 * A rotation with its state, keys, all runs on record, and policy.
 * @returns {Promise<{rotation: object, state?: string, user: object, keys: object[], runs: object[], policy: object}>}
 */
export async function loadRotation(id) {
  const found = api.get(addressOf(id)).then(({ secretRotation }) => secretRotation);
  const [rotation, state, { user, keys }, runs, { policy }] = await Promise.all([
    found,
    found.then(stateOf),
    api.get(addressOf(id, "keys")),
    runsOf(id, RUNS_KEPT),
    api.get(addressOf(id, "policy")),
  ]);
  return { rotation, state, user, keys, runs, policy };
}
