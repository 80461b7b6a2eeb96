//! Looks whether secrets have changed, and goes on through outages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::environment::{Answer, Secrets};
use super::names::Choice;
use crate::client::Client;
use crate::exit::{Failure, Outcome};
use crate::output::Output;
use crate::resolve::Resolved;

/// The secrets of a folder, as they are now.
pub(super) struct Source {
    client: Arc<Client>,
    place: Resolved,
    choice: Choice,
    /// What is known of them: an unchanged list costs the server next to nothing.
    tag: Option<String>,
}

impl Source {
    pub(super) fn new(client: Arc<Client>, place: Resolved, choice: Choice) -> Self {
        Self {
            client,
            place,
            choice,
            tag: None,
        }
    }

    /// The secrets; none if nothing has changed since the look before.
    pub(super) async fn look(&mut self) -> Outcome<Option<Secrets>> {
        let query = self.place.query();
        let found = self
            .client
            .get_changed("/api/v4/secrets", &query, self.tag.as_deref())
            .await?;
        let Some((response, tag)) = found else {
            return Ok(None);
        };
        let answer: Answer = response
            .json()
            .await
            .map_err(|_| Failure::failed("the answer of the server is not a list of secrets"))?;
        self.tag = tag;
        Ok(Some(Secrets::new(answer, &self.choice)))
    }

    /// Looks again and again from now on. Each set of secrets that differs from the one before is sent.
    pub(super) fn watch(
        mut self,
        interval: Duration,
        mut known: Secrets,
        out: Output,
    ) -> mpsc::Receiver<Secrets> {
        let (changes, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut looks = tokio::time::interval(interval);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks.tick().await;
            let mut is_away = false;
            loop {
                looks.tick().await;
                match self.look().await {
                    Ok(found) => {
                        if std::mem::take(&mut is_away) {
                            out.note("keywheel: secrets can be read again");
                        }
                        let Some(found) = found else { continue };
                        found.tell_left_out(&known, out);
                        let names = known.changed(&found);
                        known = found.clone();
                        if names.is_empty() {
                            continue;
                        }
                        out.note(format_args!("keywheel: changed: {}", names.join(", ")));
                        if changes.send(found).await.is_err() {
                            return;
                        }
                    }
                    // Told once: an outage may take hours.
                    Err(failure) if !is_away => {
                        is_away = true;
                        out.note(format_args!(
                            "keywheel: {failure}; the command runs on with what it has"
                        ));
                    }
                    Err(_) => {}
                }
            }
        });
        receiver
    }
}
