//! The file of a failing schedule: JSON lines, of which the first is the plan, the last the broken promise, and those
//! between them the events.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::events::{Event, Violation};
use crate::liveness;
use crate::plan::Plan;

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Line {
    /// What was planned.
    Plan(Plan),
    /// What happened.
    Event(Event),
    /// What was broken.
    Violation(Violation),
}

/// A schedule that was run with its events kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Recording {
    /// What was planned.
    pub plan: Plan,
    /// What happened.
    pub events: Vec<Event>,
    /// What was broken, if anything was.
    pub violation: Option<Violation>,
}

/// Runs a schedule and keeps its events.
pub fn record(plan: Plan) -> Recording {
    let world = liveness::run(&Arc::new(plan.clone()), true);
    Recording {
        plan,
        events: world.log.events,
        violation: world.violation,
    }
}

impl Recording {
    /// Writes the file.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = |line: &Line| -> io::Result<()> {
            serde_json::to_writer(&mut to, line)?;
            to.write_all(b"\n")
        };
        line(&Line::Plan(self.plan.clone()))?;
        for event in &self.events {
            line(&Line::Event(event.clone()))?;
        }
        match &self.violation {
            Some(violation) => line(&Line::Violation(violation.clone())),
            None => Ok(()),
        }
    }

    /// Reads the file.
    pub fn read(from: impl BufRead) -> io::Result<Self> {
        let (mut plan, mut events, mut violation) = (None, Vec::new(), None);
        for line in from.lines() {
            match serde_json::from_str(&line?)? {
                Line::Plan(planned) => plan = Some(planned),
                Line::Event(event) => events.push(event),
                Line::Violation(broken) => violation = Some(broken),
            }
        }
        let plan = plan.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the file has no plan"))?;
        Ok(Self {
            plan,
            events,
            violation,
        })
    }
}
