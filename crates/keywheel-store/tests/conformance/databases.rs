//! A database for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

pub use crate::memory::memory;
use crate::world::Shared;

/// Where the address of a PostgreSQL server is; `tests/postgres/main.py` starts one.
const SERVER: &str = "KEYWHEEL_TEST_POSTGRES";

/// So that no two databases have the same name.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A fresh SQLite file.
pub async fn sqlite(test: impl AsyncFnOnce(Shared)) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/keywheel.db", folder.path().display());
    test(keywheel_store::open(&url).await.unwrap()).await;
}

/// A fresh database of the server that is named in the environment.
pub async fn postgres(test: impl AsyncFnOnce(Shared)) {
    let Ok(server) = std::env::var(SERVER) else {
        let without = std::env::var("KEYWHEEL_TEST_WITHOUT").unwrap_or_default();
        assert!(
            without.split(',').any(|name| name == "postgres"),
            "{SERVER} is not set: run this by `python3 tests/postgres/main.py cargo test …`"
        );
        // `./test` tells of what is left out.
        return;
    };
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    connection.execute(AssertSqlSafe(create)).await.unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    test(keywheel_store::open(&format!("{address}/{name}")).await.unwrap()).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    connection.execute(AssertSqlSafe(drop)).await.unwrap();
}
