//! What is done with a command when its secrets change, somebody asks it to end, or time passes. Knows neither processes
//! nor clocks.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

/// What is done when secrets have changed.
#[derive(Clone, Copy)]
pub(super) enum OnChange {
    /// The command is ended, and started again.
    Restart { grace: Duration },
    /// The command is told, and reads the secrets itself.
    Signal(Signal),
}

/// What is to be done with the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// It is sent this signal.
    Tell(Signal),
    /// It is asked to end, to be started again.
    Restart,
    /// It has had its time to end.
    Kill,
}

/// The command from one event to the next.
pub(super) struct Course {
    on_change: OnChange,
    phase: Phase,
}

/// What the end of the command would mean.
#[derive(Clone, Copy)]
enum Phase {
    /// That all is over.
    Running,
    /// That all is over, as somebody asked for. If it is still there by then, they meant something else: Ctrl-C breaks off
    /// what is typed in a shell, and ends no shell.
    AskedToEnd { until: Instant, is_outdated: bool },
    /// That it is started again. It is killed if it is still there by then.
    Restarting { until: Instant },
    /// That it is started again.
    Killed,
}

impl Course {
    pub(super) const fn new(on_change: OnChange) -> Self {
        Self {
            on_change,
            phase: Phase::Running,
        }
    }

    /// Secrets have changed.
    pub(super) fn changed(&mut self, now: Instant) -> Option<Act> {
        let grace = match self.on_change {
            OnChange::Signal(signal) => return Some(Act::Tell(signal)),
            OnChange::Restart { grace } => grace,
        };
        match self.phase {
            Phase::AskedToEnd { until, .. } if now < until => {
                self.phase = Phase::AskedToEnd {
                    until,
                    is_outdated: true,
                };
                None
            }
            Phase::Running | Phase::AskedToEnd { .. } => {
                self.phase = Phase::Restarting { until: now + grace };
                Some(Act::Restart)
            }
            // It is ending already, and will be started with the latest secrets.
            Phase::Restarting { .. } | Phase::Killed => None,
        }
    }

    /// Somebody asked the command to end: they do not want another one to be started.
    pub(super) fn asked_to_end(&mut self, now: Instant) {
        if let OnChange::Restart { grace } = self.on_change {
            let is_outdated = match self.phase {
                Phase::Running => false,
                Phase::AskedToEnd { is_outdated, .. } => is_outdated,
                Phase::Restarting { .. } | Phase::Killed => true,
            };
            self.phase = Phase::AskedToEnd {
                until: now + grace,
                is_outdated,
            };
        }
    }

    /// When `passed` is to be called next.
    pub(super) const fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::AskedToEnd {
                until,
                is_outdated: true,
            }
            | Phase::Restarting { until } => Some(until),
            Phase::Running | Phase::AskedToEnd { .. } | Phase::Killed => None,
        }
    }

    /// The instant of `due` has passed, and the command is still there.
    pub(super) fn passed(&mut self, now: Instant) -> Option<Act> {
        match self.phase {
            Phase::AskedToEnd {
                is_outdated: true, ..
            } => self.changed(now),
            Phase::Restarting { until } if until <= now => {
                self.phase = Phase::Killed;
                Some(Act::Kill)
            }
            _ => None,
        }
    }

    /// The command has ended. Whether it is started again.
    pub(super) fn ended(&mut self) -> bool {
        let is_restarted = matches!(self.phase, Phase::Restarting { .. } | Phase::Killed);
        self.phase = Phase::Running;
        is_restarted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_secs(1);

    fn restarting() -> (Course, Instant) {
        (Course::new(OnChange::Restart { grace: GRACE }), Instant::now())
    }

    #[test]
    fn an_end_by_itself_is_final() {
        let (mut course, _) = restarting();
        assert!(!course.ended());
    }

    #[test]
    fn a_change_restarts_and_the_next_one_does_so_again() {
        let (mut course, now) = restarting();
        for _ in 0..2 {
            assert_eq!(course.changed(now), Some(Act::Restart));
            assert_eq!(course.changed(now), None, "it is told once");
            assert!(course.ended());
        }
        assert!(!course.ended());
    }

    #[test]
    fn who_does_not_end_in_time_is_killed_once_and_started_again() {
        let (mut course, now) = restarting();
        course.changed(now);
        assert_eq!(course.due(), Some(now + GRACE));
        assert_eq!(course.passed(now + GRACE), Some(Act::Kill));
        assert_eq!(course.due(), None);
        assert!(course.ended());
    }

    #[test]
    fn an_end_that_was_asked_for_is_final_also_during_a_restart() {
        let (mut course, now) = restarting();
        course.asked_to_end(now);
        assert_eq!(course.due(), None, "nothing waits");
        assert!(!course.ended());
        for passes in [Duration::ZERO, GRACE] {
            let (mut course, now) = restarting();
            course.changed(now);
            course.passed(now + passes);
            course.asked_to_end(now + passes);
            assert!(!course.ended());
        }
    }

    #[test]
    fn who_outlives_a_request_to_end_is_restarted_by_a_change() {
        let (mut course, now) = restarting();
        course.asked_to_end(now);
        assert_eq!(course.changed(now + GRACE), Some(Act::Restart));
        assert!(course.ended());
    }

    #[test]
    fn a_change_soon_after_a_request_to_end_waits_and_is_not_lost() {
        let (mut course, now) = restarting();
        course.asked_to_end(now);
        assert_eq!(course.changed(now + MOMENT), None);
        assert_eq!(course.due(), Some(now + GRACE));
        // Asked for once more, there is as much time again.
        course.asked_to_end(now + MOMENT);
        assert_eq!(course.due(), Some(now + MOMENT + GRACE));
        assert_eq!(course.passed(now + GRACE), None);
        assert_eq!(course.passed(now + MOMENT + GRACE), Some(Act::Restart));
        assert!(course.ended());
    }

    #[test]
    fn a_restart_that_was_broken_off_by_a_request_to_end_is_made_up_for() {
        let (mut course, now) = restarting();
        course.changed(now);
        course.asked_to_end(now);
        assert_eq!(course.passed(now + GRACE), Some(Act::Restart));
        assert_eq!(course.passed(now + GRACE + GRACE), Some(Act::Kill));
        assert!(course.ended());
    }

    #[test]
    fn who_wants_a_signal_gets_one_for_each_change_whatever_was_asked() {
        let (mut course, now) = (Course::new(OnChange::Signal(Signal::USR1)), Instant::now());
        course.asked_to_end(now);
        for _ in 0..2 {
            assert_eq!(course.changed(now), Some(Act::Tell(Signal::USR1)));
        }
        assert_eq!(course.due(), None);
        assert!(!course.ended());
    }
}
