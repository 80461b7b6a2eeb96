// The lives of keys: the phases that each went through. The ledger keeps one moment of a kind, that of the last time; the
// runs know the times before.

const HOUR = 3_600_000;
/** Between creation and publication in one run; what is longer without a run on record may hide a publication before it. */
const RUN_LONGEST = HOUR;

/** The phases that begin with a moment of the ledger, in their order in one turn. */
const MOMENTS = [["verifiedAt", "Verified"], ["publishedAt", "Published"], ["displacedAt", "Displaced"], ["deactivatedAt", "Inactive"]];
/** The phases that begin with a step of a run. A key that is activated again is not published yet. */
const STEPS = { publish: "Published", deactivate: "Inactive", reactivate: "Displaced" };
/** Keys that nobody has handed over: their life has one phase. */
const FOREIGN = { orphan_suspect: "Suspect", unmanaged: "Foreign" };

const moment = (text) => (text ? Date.parse(text) : null);

/**
 * The lives of the keys that have a beginning, the latest first.
 * @param {object[]} keys the ledger
 * @param {object[]} runs those on record
 * @returns {{key: object, from: number, end: number | null, parts: {word: string, at: number, until: number | null}[]}[]}
 * what goes on has no end
 */
export function livesOf(keys, runs) {
  const done = runs.flatMap(({ goal, steps }) => steps.filter(({ error }) => !error)
    .map(({ step, accessKeyId, startedAt, durationMs }) => ({ goal, step, id: accessKeyId, at: Date.parse(startedAt), until: Date.parse(startedAt) + (durationMs ?? 0) })))
    .sort((one, other) => one.at - other.at);
  return keys.map((key) => lifeOf(key, done, keys)).filter(Boolean).sort((one, other) => other.from - one.from);
}

function lifeOf(key, done, keys) {
  const from = moment(key.createdAt) ?? moment(key.firstSeenAt);
  if (from === null) return null;
  const end = moment(key.endedAt);
  const starts = FOREIGN[key.state] ? [{ word: FOREIGN[key.state], at: from }] : phases(key, from, done, keys);
  const parts = starts.map((part, index) => ({ ...part, until: starts[index + 1]?.at ?? end }));
  return { key, from, end, parts };
}

/** Each phase once where it begins. */
function phases(key, from, done, keys) {
  const own = done.filter(({ id }) => id === key.accessKeyId);
  const later = [
    ...own.filter(({ step }) => STEPS[step]).map(({ step, at }) => ({ word: STEPS[step], at })),
    ...displacements(key, own, done, keys),
    ...MOMENTS.slice(1).map(([name, word]) => ({ word, at: moment(key[name]) })).filter(({ at }) => at !== null),
  ].sort((one, other) => one.at - other.at);
  const first = later.find(({ word }) => word === "Published")?.at ?? Infinity;
  const starts = [{ word: beginning(key, from, first, own, keys), at: from }, ...verified(key, Math.min(first, later[0]?.at ?? Infinity), own), ...later];
  return starts.filter(({ word, at }, index) => at >= from && at <= (moment(key.endedAt) ?? Infinity) && word !== starts[index - 1]?.word);
}

/** A key that a run published is displaced as soon as another is published. */
function displacements(key, own, done, keys) {
  const others = [
    ...done.filter(({ step, id }) => step === "publish" && id !== key.accessKeyId).map(({ at }) => at),
    ...keys.filter((other) => other !== key && other.publishedAt).map(({ publishedAt }) => moment(publishedAt)),
  ].sort((one, other) => one - other);
  return own.filter(({ step }) => step === "publish")
    .map(({ at: published }) => ({ word: "Displaced", at: others.find((at) => at > published) }))
    .filter(({ at }) => at !== undefined);
}

/** When the key had been checked before anything else became of it; checks of later are no phase. */
function verified(key, before, own) {
  const recorded = moment(key.verifiedAt);
  if (recorded !== null && recorded <= before) return [{ word: "Verified", at: recorded }];
  const check = own.findLast(({ step, until }) => step === "verify" && until <= before);
  return check && own.some(({ step, at }) => step === "create" && at <= check.at) ? [{ word: "Verified", at: check.until }] : [];
}

/** What the key began as. If the runs of then are gone, a publication before the first known one is possible. */
function beginning({ origin, publishedAt }, from, first, own, keys) {
  if (!publishedAt && origin !== "created") return "Foreign";
  // One run creates and publishes: what was published in between shows that there were more.
  const isOneRun = first - from <= RUN_LONGEST && !keys.some((other) => moment(other.publishedAt) > from && moment(other.publishedAt) < first);
  const isKnown = first === Infinity || isOneRun || own.some(({ step, goal }) => step === "create" || (step === "publish" && goal === "create"));
  return isKnown ? "Created" : "Not recorded";
}
