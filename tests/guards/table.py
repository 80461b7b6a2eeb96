"""The guards of the machine, and how each is switched off.

A guard is a place in the rules that forbids something. Switched off, the simulator has to find what it forbids; a guard
whose absence nobody notices is no guard. One is left to the tests of the core: the simulator has no connection that acts
as its own target. Each entry: a name, what it forbids in a few words, and its edits: the file
below crates/keywheel-core/src, the text as it stands (any white space fits any other), and the text instead, in which
OFF is true while the guard is off. A guard of the driver or the store is a flag of the simulator instead.
"""

RUN = "run/{}.rs".format


def guard(name, forbids, *edits, flag=None):
    return {"name": name, "forbids": forbids, "edits": edits, "flag": flag}


GUARDS = [
    guard(
        "intent-before-create", "a create that nobody announced",
        (RUN("issue"), "self.commit(vec![Change::User(user), Change::OpenIntent(intent)], then)",
         "if OFF { return self.commit(vec![Change::User(user)], then); } "
         "self.commit(vec![Change::User(user), Change::OpenIntent(intent)], then)")),
    guard(
        "snapshot-diff", "a key of ours that nobody knows of after a lost answer",
        ("intent.rs", "self.kind == IntentKind::Create && !self.snapshot", "!OFF && self.kind == IntentKind::Create && !self.snapshot")),
    guard(
        "verify-before-publish", "publishing a key that has not proven itself",
        (RUN("verify"), "self.verify(Verification { key, started_at: now,",
         "if OFF { let done = Verification { key, started_at: now, checked_at: None, regions_passed: 0, rounds: 0, "
         "secret_refusals: 0 }; return self.on_settled(now, &done, now); } self.verify(Verification { key, started_at: now,")),
    guard(
        "several-successes", "publishing after a single success",
        (RUN("verify"), "if verification.rounds >= self.timings.verify_successes {",
         "if OFF || verification.rounds >= self.timings.verify_successes {")),
    guard(
        "successes-in-a-row", "counting successes across a refusal",
        (RUN("verify"), "if failure.kind == FailureKind::Refused { verification.rounds = 0;",
         "if !OFF && failure.kind == FailureKind::Refused { verification.rounds = 0;")),
    guard(
        "every-region", "publishing a key that does not work in a region of its rotation",
        (RUN("verify"), "if verification.regions_passed < self.verify_regions().len() {",
         "if !OFF && verification.regions_passed < self.verify_regions().len() {")),
    guard(
        "fresh-verification", "publishing on checks that are long past",
        (RUN("publish"), "if self.verified_at.is_none_or(stale) {", "if !OFF && self.verified_at.is_none_or(stale) {"),
        (RUN("verify"), "if (now - until).abs() > VERIFIED_FOR {", "if !OFF && (now - until).abs() > VERIFIED_FOR {"),
        (RUN("verify"), "if verification.checked_at.is_some_and(", "if !OFF && verification.checked_at.is_some_and(")),
    guard(
        "retire-by-id", "retiring the oldest key, whatever it is",
        (RUN("run-decide"), "let stays = |line: &&ListedKey| {", "let stays = |line: &&ListedKey| { if OFF { return false; }"),
        (RUN("retire"), "pub(super) fn retirable(&self, now: Moment) -> Option<AccessKeyId> {",
         "pub(super) fn retirable(&self, now: Moment) -> Option<AccessKeyId> { if OFF { "
         "return self.listed.iter().min_by_key(|l| l.created_at).map(|l| l.id.clone()); }"),
        (RUN("retire"), "Some(key) if self.retirements > CHANGES_MAX",
         "Some(_) if OFF && self.retirements == 1 => Some(IntentKind::Deactivate), Some(key) if self.retirements > CHANGES_MAX")),
    guard(
        "two-steps", "deleting a key that was not deactivated first",
        (RUN("retire"), "Some(key) if key.state == KeyState::Deactivated => Some(IntentKind::Delete),",
         "Some(key) if OFF || key.state == KeyState::Deactivated => Some(IntentKind::Delete),")),
    guard(
        "unmanaged-is-never-ours", "touching somebody else's key",
        ("key.rs", "KeyState::Unmanaged | KeyState::Deleted | KeyState::Lost => false,",
         "KeyState::Unmanaged => OFF, KeyState::Deleted | KeyState::Lost => false,"),
        ("key.rs", "(Pending | Verified | Displaced | OrphanSuspect, Deactivated)",
         "(Pending | Verified | Displaced | OrphanSuspect | Unmanaged, Deactivated)")),
    guard(
        "proof-of-suspects", "retiring a suspect that nobody has proven",
        ("key.rs", "KeyState::OrphanSuspect => self.proof.is_some(),", "KeyState::OrphanSuspect => OFF || self.proof.is_some(),"),
        ("key.rs", "(KeyState::OrphanSuspect, _) => self.proof.map(|_| self.first_seen_at),",
         "(KeyState::OrphanSuspect, _) if OFF => Some(self.first_seen_at), "
         "(KeyState::OrphanSuspect, _) => self.proof.map(|_| self.first_seen_at),")),
    guard(
        "promise-before-the-create", "taking a suspect for ours by a promise that came later",
        (RUN("evidence"), "if since <= at)", "if OFF || since <= at)")),
    guard(
        "used-suspects", "taking a suspect for ours that somebody uses",
        (RUN("evidence"), "match (&key.last_used, key.proof) {",
         "match (if OFF { &None } else { &key.last_used }, key.proof) {")),
    guard(
        "pending-is-resumed", "a second create while a key of ours waits for its publish",
        (RUN("run-decide"), "if let Some(key) = self.ledger.unpublished() {", "if let Some(key) = self.ledger.unpublished().filter(|_| !OFF) {")),
    guard(
        "room-for-the-key", "a create although the list shows no room",
        (RUN("run-decide"), "if self.listed.len() < SLOTS {", "if OFF || self.listed.len() < SLOTS {")),
    guard(
        "create-settles", "a second create while the first may still land",
        (RUN("issue"), "self.ledger.user.settles_at.filter(|at| !self.is_over(now, *at))",
         "self.ledger.user.settles_at.filter(|at| !OFF && !self.is_over(now, *at))"),
        (RUN("preflight"), "if !self.is_over(now, settles_at) {", "if !OFF && !self.is_over(now, settles_at) {")),
    guard(
        "mark-before-publish", "publishing a key on which a deactivation may still land",
        (RUN("verify"), "if let Some(settles_at) = mark.filter(|at| !self.is_over(now, *at)) {",
         "if let Some(settles_at) = mark.filter(|at| !OFF && !self.is_over(now, *at)) {"),
        (RUN("roll_back"), "if let Some(settles_at) = mark.filter(|at| !self.is_over(now, *at)) {",
         "if let Some(settles_at) = mark.filter(|at| !OFF && !self.is_over(now, *at)) {")),
    guard(
        "mark-before-repeat", "a repeated call that lands after everybody stopped waiting for it",
        (RUN("retire"), "key.settles_at = key.settles_at.max(Some(settles_at));",
         "if !OFF { key.settles_at = key.settles_at.max(Some(settles_at)); }"),
        (RUN("retire"), "if !sending.earlier_may_land { key.settles_at = None; }",
         "if OFF || !sending.earlier_may_land { key.settles_at = None; }")),
    guard(
        "same-user", "changing another user that has the name now",
        (RUN("preflight"), "(!same).then(|| {", "(!OFF && !same).then(|| {")),
    guard(
        "clocks-agree", "changes while this server's clock and AWS's differ",
        (RUN("clocks"), "pub fn is_clock_wrong(&self) -> bool {", "pub fn is_clock_wrong(&self) -> bool { if OFF { return false; }")),
    guard(
        "grace", "deactivating a displaced key within its grace time",
        ("key.rs", "(KeyState::Displaced, Terms::Grace { until, .. }) => Some(until),",
         "(KeyState::Displaced, Terms::Grace { .. }) if OFF => Some(self.first_seen_at), "
         "(KeyState::Displaced, Terms::Grace { until, .. }) => Some(until),")),
    guard(
        "quarantine", "deleting a key within its quarantine",
        ("key.rs", "self.deactivated_at.map(|at| at + quarantine)",
         "self.deactivated_at.map(|at| if OFF { at } else { at + quarantine })")),
    guard(
        "held-keys", "retiring a key that somebody brought back",
        ("ledger/reconcile.rs", "changed.held = Some(HELD_REACTIVATED.to_owned());",
         "if !OFF { changed.held = Some(HELD_REACTIVATED.to_owned()); }")),
    guard(
        "settled-lists", "believing one list that a key is gone",
        ("ledger/reconcile.rs", "if !settled { result.needs_settled_list = true; return; } let mut lost",
         "if !OFF && !settled { result.needs_settled_list = true; return; } let mut lost"),
        ("ledger/reconcile.rs", "if young && key.terms", "if !OFF && young && key.terms")),
    guard(
        "one-published-key", "two published keys",
        (RUN("publish"), "if let Some(mut old) = self.ledger.published().cloned() {",
         "if let Some(mut old) = self.ledger.published().cloned().filter(|_| !OFF) {")),
    guard(
        "ambiguous-commits", "going on after a commit of which nobody knows whether it was made",
        (RUN("run-decide"), "match result { Ok(()) => {",
         "let result = if OFF && result == Err(CommitFault::Unavailable) { Ok(()) } else { result }; match result { Ok(()) => {")),
    guard(
        "adoption-names-its-key", "retiring, on a create, a key that the request does not name",
        (RUN("retire"), "let all = matches!(self.goal, Goal::Settle)",
         "let all = matches!(self.goal, Goal::Settle) || (OFF && matches!(self.goal, Goal::Create(_)))"),
        (RUN("adopt"), "Adoption::None | Adoption::HandOver { .. } => self.decide_new_key(now),",
         "Adoption::None if OFF && self.listed.len() >= 2 && self.ledger.unpublished().is_none() => "
         "{ let id = self.listed[0].id.clone(); self.take_at_once(now, &id) } "
         "Adoption::None | Adoption::HandOver { .. } => self.decide_new_key(now),")),
    guard(
        "whoever-announces-is-due", "an open intent that nobody comes back to",
        (RUN("run-decide"), "user.due_at = Some(user.due_at.map_or(at, |due| due.min(at)));",
         "if !OFF { user.due_at = Some(user.due_at.map_or(at, |due| due.min(at))); }")),
    guard(
        "given-back-keys", "repeating a call on a key that was given back",
        (RUN("retire"), "self.ledger.keys.get(id).filter(|key| key.is_ours()).cloned() else {",
         "self.ledger.keys.get(id).filter(|key| OFF || key.is_ours()).cloned() else {")),
    guard(
        "announced-long-ago", "a call that lands after everybody stopped waiting, because the process stood still",
        (RUN("run-decide"), "if sends && self.is_announced_too_long_ago(now) {",
         "if !OFF && sends && self.is_announced_too_long_ago(now) {")),
    guard(
        "look-before-deletion", "deleting a promised suspect of which AWS tells a use by now",
        (RUN("evidence"), "(key.state == KeyState::Displaced || is_promised_away(key))",
         "(key.state == KeyState::Displaced || (!OFF && is_promised_away(key)))")),
    guard("fence", "a write by a holder whose claim is over", flag="--ignore-fence"),
    guard("room-in-the-lease", "a call that outlives the lease it is sent under", flag="--ignore-may-send"),
    guard("no-retries-of-creates", "a create that the SDK sends twice", flag="--retry-creates"),
    guard("sealed-secrets", "a secret that is stored as it is", flag="--skip-seal"),
]

# `run.rs` beside the folder `run`.
ALIASES = {"run/run-decide.rs": "run.rs"}
