// Why a run failed, by its code: what it means and what to do. The same as docs/error-codes.md.

/** `CODE: [what it means, what to do]` */
export const FAULTS = {
  ADOPTION_BLOCKED: ["The user already has two keys that Keywheel did not create. Nothing was changed.", "Import one, hand one over, or delete one in IAM. Then try again."],
  PREFLIGHT_UNMANAGED: ["A key that Keywheel did not create holds the slot that the new key needs.", "Hand it over in the list of keys, or delete it in IAM once nothing uses it."],
  ORPHAN_SUSPECT: ["A key holds the slot that may be Keywheel's: its create went unanswered and its secret is lost.", "Look in CloudTrail who created it. Then resolve it as ours or theirs."],
  KEY_HELD: ["A displaced key is held: by its owner, because somebody reactivated it, or because it is still used.", "Find out who needs it. Release or retire it, or roll back to it."],
  GRACE_HOLDS_SLOT: ["The displaced key is in its grace time or quarantine.", "Wait, or retire it now."],
  KEY_NOT_ELIGIBLE: ["This cannot be done to that key; the message says why.", "Look at the list of keys."],
  SELF_ROTATION: ["The connection acts as the user whose keys are to be rotated.", "Give the connection a principal of its own."],
  IDENTITY_CHANGED: ["The name means another IAM user than before, or the connection reaches another account.", "Was the user deleted and made again? Then delete the rotation and make a new one."],
  CLOCK_SKEW: ["The clocks of the server and of AWS differ by too much.", "Synchronize the clock of the server."],
  IN_PROGRESS: ["Another run holds the user, or a call may still take effect.", "Wait. It goes on by itself."],
  NO_FREE_SLOT: ["AWS refused a further key although the list showed room: somebody was faster.", "Nothing. The next attempt sees that key."],
  OUTCOME_UNKNOWN: ["AWS did not say whether the key was created.", "Nothing. Keywheel looks for it once the request cannot take effect any more."],
  VERIFY_TIMEOUT: ["The new key did not work in time.", "Nothing. It is checked again, and not created again."],
  VERIFY_REFUSED: ["AWS refuses the secret of the new key for good.", "Nothing. The key was retired, and the next attempt makes another."],
  SEALING_FAILED: ["The secret of the new key could not be encrypted. The key was retired.", "Look in the log of the server."],
  CONFLICT: ["A name that was free when the rotation started is taken now.", "Choose another name."],
  AWS_REFUSED: ["AWS understood and said no; its words are in the message.", "Usually a permission is missing: compare the policy on the page of the connection."],
  AWS_UNAVAILABLE: ["AWS could not be reached, was busy, or contradicts itself.", "Nothing. Look at the network if it lasts."],
};

/** Words that tell the code where only the message is known. */
const SIGNS = [
  [/AccessDenied|not authorized|InvalidClientTokenId/, "AWS_REFUSED"],
  [/possibly created by Keywheel/, "ORPHAN_SUSPECT"],
  [/not created by Keywheel/, "PREFLIGHT_UNMANAGED"],
  [/in its grace time|quarantine/, "GRACE_HOLDS_SLOT"],
  [/did not say whether/, "OUTCOME_UNKNOWN"],
];

/**
 * The code of a failure: its own, or the one that its message tells.
 * @returns {string | null}
 */
export function codeOf(code, message) {
  if (code in FAULTS) return code;
  return SIGNS.find(([sign]) => sign.test(message ?? ""))?.[1] ?? null;
}
