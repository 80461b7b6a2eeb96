//! Calls to AWS: they are signed and sent, land now, later or never, and come back with an answer or without.

use keywheel_core::aws::{AccessKeyId, Answer, Observed, Region};
use keywheel_core::clock::Moment;
use keywheel_core::run::{Effect, Event, Issued};
use keywheel_sandbox::model::{Code, Refusal};

use crate::aws::{self, SIGNATURE_WINDOW_MS};
use crate::driver::failed;
use crate::events::What;
use crate::faults::{Call, Fault};
use crate::invariants::{self, Fact};
use crate::job::{Change, Flight, Stage};
use crate::words::{in_words, outcome_of};
use crate::world::{Item, World};

impl World {
    pub(crate) fn send_to_aws(&mut self, number: usize, effect: Effect) {
        let change = Change::of(&effect);
        if let Some(change) = &change
            && !self.announce(number, change)
        {
            return;
        }
        let job = &self.jobs[number];
        let (node, harm) = (job.node, job.harm);
        self.note(Some(node), What::Send, || in_words(&effect));
        let changing = change.is_some();
        let soon = self.now + self.latency();
        let given_up = self.now + self.timings.call_timeout.get();
        match harm {
            Some(Fault::RequestLost) => {
                self.call_is_over(number);
                let at = if self.rng.chance(50) { given_up } else { soon };
                self.set(number, Stage::Answer(failed(&effect, aws::silence(changing))), at);
            }
            Some(Fault::LateLanding { ms }) => {
                self.let_go(number, self.now + ms);
                self.set(
                    number,
                    Stage::Answer(failed(&effect, aws::silence(changing))),
                    given_up,
                );
            }
            Some(Fault::PauseSent { ms }) => {
                self.let_go(number, self.now + ms);
                self.pause(node, ms);
                let at = given_up.max(self.now + ms);
                self.set(number, Stage::Answer(failed(&effect, aws::silence(changing))), at);
            }
            _ => match self.refusal_at_the_door(Call::of(&effect), harm) {
                Some(refusal) => {
                    self.call_is_over(number);
                    let failure = aws::failure(&refusal, changing, self.date(harm));
                    self.set(number, Stage::Answer(failed(&effect, failure)), soon);
                }
                None => self.send(number, effect),
            },
        }
    }

    /// Checks whether a changing call may be sent, and signs it.
    fn announce(&mut self, number: usize, change: &Change) -> bool {
        let job = &self.jobs[number];
        let in_time =
            job.may_send(self.now, self.timings.lease, self.timings.call_timeout) && self.keeps_time(job);
        if !in_time && !self.plan.bugs.ignore_may_send {
            self.set(number, Stage::Answer(Event::LeaseLost), self.now);
            return false;
        }
        let broken = invariants::broken(self, &Fact::Sending(job, change));
        self.convict(broken);
        self.sign(number, change.clone());
        true
    }

    /// Makes the request; from now on it may land.
    pub(crate) fn sign(&mut self, number: usize, change: Change) {
        let job = &self.jobs[number];
        let row = job.row;
        if matches!(change, Change::Create(_)) {
            self.truth.users[row].creates_in_flight += 1;
        }
        let flight = Flight {
            change,
            row,
            user_name: job.run.ledger().user.name.as_str().to_owned(),
            signed_at: self.wall(job.node).as_millis(),
        };
        self.jobs[number].flight = Some(flight);
    }

    /// A request that nobody waits for any more still lands.
    pub(crate) fn let_go(&mut self, number: usize, lands_at: i64) {
        let Some(flight) = self.jobs[number].flight.take() else {
            return;
        };
        if (flight.signed_at - lands_at).abs() > SIGNATURE_WINDOW_MS {
            self.flight_is_over(&flight); // AWS will refuse it: it cannot take effect any more.
        } else {
            self.at(lands_at, Item::Land(flight));
        }
    }

    /// A request will not land.
    fn call_is_over(&mut self, number: usize) {
        if let Some(flight) = self.jobs[number].flight.take() {
            self.flight_is_over(&flight);
        }
    }

    fn flight_is_over(&mut self, flight: &Flight) {
        if matches!(flight.change, Change::Create(_)) {
            self.truth.users[flight.row].creates_in_flight -= 1;
        }
    }

    fn refusal_at_the_door(&self, call: Call, harm: Option<Fault>) -> Option<Refusal> {
        let refusal = |code| Some(Refusal::new(code, "refused"));
        match harm {
            Some(Fault::Throttle) => refusal(Code::Throttling),
            Some(Fault::Unavailable) => refusal(Code::ServiceUnavailable),
            // Nobody needs a permission to ask who he is.
            Some(Fault::AccessDenied) if call != Call::Verify => refusal(Code::AccessDenied),
            _ if self.now < self.throttled_until => refusal(Code::Throttling),
            _ if self.now < self.denied_until && call != Call::Verify => refusal(Code::AccessDenied),
            _ => None,
        }
    }

    /// A request lands whose sender is gone, or does not wait any more.
    pub(crate) fn land_late(&mut self, flight: &Flight) {
        let made = self.change_aws(flight);
        self.note(None, What::Land, || {
            format!("late: {:?}: {}", flight.change, outcome_of(&made))
        });
        self.check(&Fact::Changed);
    }

    /// The change itself. A signature that is too old is refused.
    fn change_aws(&mut self, flight: &Flight) -> Result<Option<Issued>, Refusal> {
        self.flight_is_over(flight);
        let name = flight.user_name.as_str();
        if (flight.signed_at - self.now).abs() > SIGNATURE_WINDOW_MS {
            return Err(expired());
        }
        self.check(&Fact::Landing(flight));
        match &flight.change {
            Change::Create(intent) => {
                let key = self.aws.create_key(self.now, name)?;
                let id = AccessKeyId::from_trusted(key.access_key_id);
                let secret = key.secret_access_key.expose().to_owned();
                let user_id = self.aws.user_id(name).unwrap_or_default().to_owned();
                self.truth.born(id.clone(), user_id, secret, Some(*intent));
                Ok(Some(Issued {
                    id,
                    secret: None,
                    created_at: Some(Moment::from_millis(self.now.div_euclid(1_000) * 1_000)),
                }))
            }
            Change::Switch { key, active } => {
                self.aws.set_status(self.now, name, key, *active)?;
                self.truth.switched(key, *active, false, self.now);
                Ok(None)
            }
            Change::Delete(key) => {
                self.aws.delete_key(self.now, name, key)?;
                self.truth.died(key, false);
                Ok(None)
            }
        }
    }

    pub(crate) fn ask_aws(&mut self, number: usize, effect: &Effect, harm: Option<Fault>) -> Event {
        let name = self.jobs[number].run.ledger().user.name.as_str().to_owned();
        let ahead_ms = self.nodes[self.jobs[number].node].ahead_ms;
        let date = self.date(harm);
        if let Some(flight) = self.jobs[number].flight.take() {
            let made = self.change_aws(&flight);
            return self.change_event(made, date, harm, effect);
        }
        let in_window = ahead_ms.abs() <= SIGNATURE_WINDOW_MS;
        let read = |refusal: &Refusal| aws::failure(refusal, false, date);
        match effect {
            _ if !in_window => failed(effect, read(&expired())),
            Effect::Identify => Event::Identified(dated(self.aws.identify(self.now, &name), date)),
            Effect::List => {
                // Two in a row would look like a settled one.
                let seen = &mut self.jobs[number].seen;
                let stale = matches!(harm, Some(Fault::StaleList)) && !seen.stale_before;
                seen.stale_before = stale;
                Event::Listed(dated(self.aws.list(self.now, &name, stale), date))
            }
            Effect::LastUsed(key) => Event::LastUsed(dated(self.aws.last_used(self.now, key), date)),
            Effect::Verify { key, region } => self.verify(number, key, region, harm),
            _ => Event::LeaseLost,
        }
    }

    /// The `Date` of an answer, in whole seconds.
    pub(crate) fn date(&self, harm: Option<Fault>) -> Option<Moment> {
        let undated = matches!(harm, Some(Fault::NoDate));
        (!undated).then(|| Moment::from_millis(self.now.div_euclid(1_000) * 1_000))
    }

    fn verify(&mut self, number: usize, key: &AccessKeyId, region: &Region, harm: Option<Fault>) -> Event {
        if let Some(Fault::WrongSignature { count }) = harm {
            self.wrong_signatures = count;
        }
        let date = self.date(harm);
        if self.wrong_signatures > 0 {
            self.wrong_signatures -= 1;
            let refusal = Refusal::new(Code::SignatureDoesNotMatch, "does not match");
            return Event::Verified(dated(Err(refusal), date));
        }
        let sealed = self.jobs[number].run.secret_of(key);
        if let Some(secret) = sealed.and_then(|sealed| self.open(key.as_str(), sealed)) {
            let answer = self.aws.verify(self.now, key, &secret, region.as_str());
            return Event::Verified(dated(answer, date));
        }
        self.violate("I7", format!("the secret of {key} cannot be opened"));
        Event::LeaseLost
    }

    fn change_event(
        &mut self,
        made: Result<Option<Issued>, Refusal>,
        date: Option<Moment>,
        harm: Option<Fault>,
        effect: &Effect,
    ) -> Event {
        match made {
            Err(refusal) => failed(effect, aws::failure(&refusal, true, date)),
            Ok(None) => Event::Changed(Ok(Observed {
                value: (),
                aws_date: date,
            })),
            Ok(Some(mut issued)) => {
                if !matches!(harm, Some(Fault::SealingFails)) {
                    let secret = self.truth.keys.get(&issued.id).map(|key| key.secret.clone());
                    issued.secret = secret.map(|secret| self.seal(issued.id.as_str(), &secret));
                }
                Event::Issued(Ok(Observed {
                    value: issued,
                    aws_date: date,
                }))
            }
        }
    }
}

/// The refusal of a signature that is not of these five minutes.
fn expired() -> Refusal {
    Refusal::new(Code::SignatureDoesNotMatch, "Signature expired")
}

fn dated<T>(answer: Result<T, Refusal>, date: Option<Moment>) -> Answer<T> {
    match answer {
        Ok(value) => Ok(Observed {
            value,
            aws_date: date,
        }),
        Err(refusal) => Err(aws::failure(&refusal, false, date)),
    }
}
