//! Looks, now and then, whether something did not happen that should have: rotations that are overdue.
//!
//! What did happen is told with it, by the commit that did it. Every node looks; the table of what was told lets one of
//! them tell.

use keywheel_core::clock::Millis;
use keywheel_store::StoreError;
use keywheel_store::webhooks::OVERDUE_AT_A_TIME;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::rotation_views::glance;
use crate::app::App;

/// Between two looks, and before the first: a server that was down has its rotations due, and begins with them.
const LOOK_EVERY: Millis = Millis::from_secs(5 * 60);
/// Transactions of one look: enough for ten thousand rotations, and no look without an end.
const ROUNDS_MAX: u32 = 100;

/// The look, until it is told to stop.
pub struct Watch {
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Begins to look.
pub fn start(app: &App) -> Watch {
    let watch = Watch {
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    let (app, stop) = (app.clone(), watch.stop.clone());
    watch.tasks.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.clock().sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = look(&app).await {
                tracing::warn!(%error, "rotations that are overdue are looked for later");
            }
        }
    });
    watch
}

impl Watch {
    /// Stops.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Looks once; how many rotations were told of.
pub async fn look(app: &App) -> Result<u32, StoreError> {
    let mut all = 0;
    for _ in 0..ROUNDS_MAX {
        let told = app.store().tell_overdue(glance(app).await?, app.now()).await?;
        all += told;
        if told < OVERDUE_AT_A_TIME {
            break;
        }
    }
    Ok(all)
}
