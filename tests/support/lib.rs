//! What the tests share: a client with a cookie jar, a store that tells what
//! it was asked, one that answers late, and both stores under one clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::must_use_candidate, missing_docs)]

pub mod cache;
pub mod cas;
pub mod client;
pub mod crowd;
pub mod keys;
pub mod promises;
pub mod secrets;
pub mod servers;
pub mod slow;
pub mod spy;
pub mod stores;
pub mod tab;
pub mod traced;

pub use client::{Client, Reply};
pub use slow::Slow;
pub use spy::{Call, Spy};
pub use tab::{Answer, Tab};

/// The code in the README and in the guides compiles and runs.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../docs/stores.md")]
    struct Stores;

    #[doc = include_str!("../../docs/sqlite.md")]
    struct Sqlite;

    #[doc = include_str!("../../docs/cache.md")]
    struct Cache;

    #[doc = include_str!("../../docs/production.md")]
    struct Production;

    #[cfg(feature = "servers")]
    #[doc = include_str!("../../docs/postgres.md")]
    struct Postgres;

    #[cfg(feature = "servers")]
    #[doc = include_str!("../../docs/mysql.md")]
    struct MySql;

    #[doc = include_str!("../../docs/guide/first-session.md")]
    struct GuideFirstSession;

    #[doc = include_str!("../../docs/guide/fields.md")]
    struct GuideFields;

    #[doc = include_str!("../../docs/guide/sign-in.md")]
    struct GuideSignIn;

    #[doc = include_str!("../../docs/guide/devices.md")]
    struct GuideDevices;

    #[doc = include_str!("../../docs/guide/concurrency.md")]
    struct GuideConcurrency;

    #[doc = include_str!("../../docs/guide/schema-changes.md")]
    struct GuideSchemaChanges;

    #[doc = include_str!("../../docs/guide/testing.md")]
    struct GuideTesting;

    #[doc = include_str!("../../docs/guide/streaming.md")]
    struct GuideStreaming;

    #[doc = include_str!("../../docs/guide/failures.md")]
    struct GuideFailures;

    #[doc = include_str!("../../docs/guide/configuration.md")]
    struct GuideConfiguration;

    #[doc = include_str!("../../docs/guide/csrf.md")]
    struct GuideCsrf;

    #[doc = include_str!("../../docs/guide/login-page.md")]
    struct GuideLoginPage;

    #[doc = include_str!("../../docs/guide/recipes.md")]
    struct GuideRecipes;

    #[doc = include_str!("../../docs/guide/api-clients.md")]
    struct GuideApiClients;

    #[doc = include_str!("../../docs/guide/jobs.md")]
    struct GuideJobs;

    #[doc = include_str!("../../docs/coming-from.md")]
    struct ComingFrom;

    #[doc = include_str!("../../docs/tower-sessions.md")]
    struct TowerSessions;
}
