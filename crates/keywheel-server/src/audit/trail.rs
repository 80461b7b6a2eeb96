//! The entry of one request: opened by the action, completed by the edge.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderValue, StatusCode};
use keywheel_core::clock::Moment;
use keywheel_core::ids::{AuditEntryId, ProjectId};
use keywheel_store::audit::NewAuditRecord;
use serde::Serialize;

use super::event::{Event, Weight};
use super::record::{self, Actor, Content, Metadata};
use super::{Audit, agent};
use crate::http::errors::ApiError;

/// Longest `User-Agent` that is kept, in bytes. Those of clients are a few dozen.
const USER_AGENT_MAX: usize = 256;

/// What is known of a request for the log.
pub struct Trail {
    audit: Audit,
    address: IpAddr,
    user_agent: Option<HeaderValue>,
    open: Mutex<Option<Open>>,
}

/// An entry that was begun.
struct Open {
    /// That of a change, whose first record is on disk. Others get theirs when they are written.
    entry: Option<AuditEntryId>,
    event: Event,
    at: Moment,
    content: Content,
    /// What became known later.
    later: Metadata,
}

impl Trail {
    /// Without an entry.
    pub fn new(audit: Audit, address: IpAddr, user_agent: Option<HeaderValue>) -> Self {
        Self {
            audit,
            address,
            user_agent,
            open: Mutex::new(None),
        }
    }

    /// Where the request comes from.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Begins an entry. That of a change is on disk when this returns; if it cannot be written, the change is
    /// refused. An action that is a part of another one belongs to the entry of that.
    pub async fn open(
        &self,
        actor: Actor,
        event: Event,
        project: Option<ProjectId>,
        metadata: Metadata,
    ) -> Result<(), ApiError> {
        if self.lock().is_some() {
            return Ok(());
        }
        let open = Open {
            entry: None,
            event,
            at: self.audit.0.parts.clock.now(),
            content: self.content(actor, event, project, metadata),
            later: Metadata::new(),
        };
        match event.weight() {
            Weight::Reveal => *self.lock() = Some(open),
            Weight::Read => {
                self.audit.require_reads_written()?;
                *self.lock() = Some(open);
            }
            Weight::Change => self.open_change(open).await?,
        }
        Ok(())
    }

    async fn open_change(&self, open: Open) -> Result<(), ApiError> {
        let entry = self.audit.new_entry();
        let record = record::opened(entry, &open.content, open.at).map_err(ApiError::internal)?;
        // Before it is written: a request that is given up in between has an entry to complete.
        *self.lock() = Some(Open {
            entry: Some(entry),
            ..open
        });
        let written = self.audit.append(vec![record]).await;
        if written.is_err() {
            *self.lock() = None;
        }
        written
    }

    /// Adds what became known after the entry was begun.
    pub fn note(&self, key: &'static str, value: impl Serialize) {
        if let Some(open) = self.lock().as_mut() {
            open.later.set(key, value);
        }
    }

    /// The same for several things at once.
    pub fn note_all(&self, metadata: Metadata) {
        if let Some(open) = self.lock().as_mut() {
            open.later = std::mem::take(&mut open.later).and(metadata);
        }
    }

    /// Tells who it is, where that is found out by the action itself and the entry is written at its end.
    pub fn note_actor(&self, actor: Actor) {
        if let Some(open) = self.lock().as_mut() {
            open.content.actor = actor;
        }
    }

    /// Completes the entry, if one was begun; nothing may be answered before. Refuses the answer if it reveals
    /// something and cannot be written down.
    pub async fn close(&self, status: StatusCode, error: Option<&str>) -> Result<(), ApiError> {
        let Some(open) = self.lock().take() else {
            return Ok(());
        };
        let success = error.is_none() && !status.is_client_error() && !status.is_server_error();
        let word = match status {
            _ if success => "success",
            // What it began may still go on.
            StatusCode::GATEWAY_TIMEOUT => "unknown",
            _ => "failure",
        };
        let mut later = open
            .later
            .with("outcome", word)
            .with("statusCode", status.as_u16());
        if let Some(error) = error {
            later.set("error", error);
        }
        let event = if success {
            open.event
        } else {
            open.event.when_failed()
        };
        let now = self.audit.0.parts.clock.now();
        if let Some(entry) = open.entry {
            self.close_change(entry, later, now).await?;
            return Ok(());
        }
        let mut content = open.content;
        content.event = event.as_str().into();
        content.metadata = content.metadata.and(later);
        let written = if event.weight() == Weight::Read {
            self.audit.count(event, content, now).await
        } else {
            let record = record::whole(self.audit.new_entry(), &content, open.at, now);
            self.audit.append(vec![record.map_err(ApiError::internal)?]).await
        };
        // A refusal reveals nothing: it is answered as it is.
        if success { written } else { Ok(()) }
    }

    /// The change has been made or not: what is answered is what happened, even if its end is written later.
    async fn close_change(&self, entry: AuditEntryId, later: Metadata, now: Moment) -> Result<(), ApiError> {
        let record = record::completed(entry, later, now).map_err(ApiError::internal)?;
        // In a task of its own: a client that goes away must not take the end along.
        let audit = self.audit.clone();
        let end = async move { audit.append_at_last(vec![record]).await };
        if let Err(fault) = self.audit.0.tasks.spawn(end).await {
            tracing::error!(%fault, "the end of an action is not in the audit log");
        }
        Ok(())
    }

    fn content(&self, actor: Actor, event: Event, project: Option<ProjectId>, metadata: Metadata) -> Content {
        let user_agent = self.user_agent.as_ref().map(|sent| {
            let sent = sent.as_bytes();
            String::from_utf8_lossy(&sent[..sent.len().min(USER_AGENT_MAX)]).into_owned()
        });
        Content {
            event: event.as_str().into(),
            project,
            actor,
            address: Some(self.address),
            user_agent_type: agent::kind_of(user_agent.as_deref().unwrap_or_default()).into(),
            user_agent,
            metadata,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a request whose client has gone: whether the change was made, nobody has seen.
    fn abandoned(open: Open, now: Moment) -> Option<NewAuditRecord> {
        let later = open.later.with("outcome", "abandoned");
        record::completed(open.entry?, later, now).ok()
    }
}

/// A client that hangs up drops its request in the middle; the entry is completed all the same.
impl Drop for Trail {
    fn drop(&mut self) {
        let Some(open) = self.lock().take() else { return };
        let now = self.audit.0.parts.clock.now();
        if let (Some(record), Ok(runtime)) =
            (Self::abandoned(open, now), tokio::runtime::Handle::try_current())
        {
            let audit = self.audit.clone();
            self.audit
                .0
                .tasks
                .spawn_on(async move { audit.append_at_last(vec![record]).await }, &runtime);
        }
    }
}
