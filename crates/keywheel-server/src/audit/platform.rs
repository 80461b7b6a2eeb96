//! Entries of what the server does by itself, on schedule, and of what its operators do at its machine.

use keywheel_core::ids::{AuditEntryId, ProjectId};

use super::event::Event;
use super::record::{self, Actor, Content, Metadata};
use super::{Audit, agent};
use crate::http::errors::ApiError;

impl Audit {
    /// Begins an entry; it is on disk when this returns.
    pub(crate) async fn begin_by_platform(
        &self,
        event: Event,
        project: impl Into<Option<ProjectId>>,
        metadata: Metadata,
    ) -> Result<AuditEntryId, ApiError> {
        let content = content(event, project.into(), metadata);
        let (entry, now) = (self.new_entry(), self.0.parts.clock.now());
        let record = record::opened(entry, &content, now).map_err(ApiError::internal)?;
        self.append(vec![record]).await?;
        Ok(entry)
    }

    /// Writes an entry of what has happened outside and changed nothing here: if it cannot be written now, it is later.
    pub(crate) async fn tell_by_platform(&self, event: Event, project: ProjectId, metadata: Metadata) {
        let (entry, now) = (self.new_entry(), self.0.parts.clock.now());
        match record::whole(entry, &content(event, Some(project), metadata), now, now) {
            Ok(record) => self.append_at_last(vec![record]).await,
            Err(error) => tracing::error!(%entry, %error, "an entry cannot be written down"),
        }
    }

    /// Completes an entry. What has happened has happened: if it cannot be written now, it is later.
    pub(crate) async fn end_by_platform(&self, entry: AuditEntryId, metadata: Metadata) {
        match record::completed(entry, metadata, self.0.parts.clock.now()) {
            Ok(record) => self.append_at_last(vec![record]).await,
            Err(error) => tracing::error!(%entry, %error, "the end of a run cannot be written down"),
        }
    }
}

fn content(event: Event, project: Option<ProjectId>, metadata: Metadata) -> Content {
    Content {
        event: event.as_str().into(),
        project,
        actor: Actor::Platform,
        address: None,
        user_agent: None,
        user_agent_type: agent::kind_of("").into(),
        metadata,
    }
}
