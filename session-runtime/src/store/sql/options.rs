//! The settings shared by all SQL servers, as methods of their options.

/// Defines methods of options that have a field `settings`.
macro_rules! shared_settings {
    () => {
        /// Sets the prefix of the names of the tables: at most 40 characters of a-z, 0-9 and `_`;
        /// on PostgreSQL it must not begin with a digit. Two stores with different prefixes share
        /// nothing.
        ///
        /// # Default
        ///
        /// Empty: the tables are `session`, `session_revocation` and so on.
        pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
            self.prefix = prefix.into();
            self
        }

        /// Sets the clock that decides expiry.
        ///
        /// # Default
        ///
        /// The system clock: expiry is then decided by the **server's** clock, read after every
        /// wait for a lock, so that nodes with different clocks agree. New records get their times
        /// from the node's clock: keep both synchronised (NTP). Any other clock, such as a frozen
        /// one in tests, decides by itself.
        pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
            self.settings.clock = clock;
            self
        }

        /// Sets the largest size of a field and of a record. A write through this store that would
        /// exceed it is refused, and nothing is stored. Another process may have other limits for
        /// the same data.
        ///
        /// # Default
        ///
        /// 256 KiB a field, 1 MiB a record ([`Limits::default`](crate::store::Limits::default)).
        pub const fn limits(mut self, limits: $crate::store::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// Sets how long a call may take, including waiting for a connection and retries. The
        /// server waits for a lock no longer than this. After it, a call fails with
        /// [`Timeout`](crate::store::StoreErrorKind::Timeout) or the error of its last try; the
        /// outcome of a patch that may have been stored is
        /// [`Outcome::Uncertain`](crate::record::patch::Outcome::Uncertain).
        ///
        /// # Default
        ///
        /// 2 seconds. Zero is refused when connecting.
        pub const fn deadline(mut self, deadline: ::core::time::Duration) -> Self {
            self.settings.deadline = deadline;
            self
        }

        /// Sets how many connections [`connect`](Self::connect) opens at most. An existing pool has
        /// its own limit.
        ///
        /// # Default
        ///
        /// 10. A call uses a connection for a few statements, a millisecond or two, so more
        ///     connections help only if the network is slow. All nodes together must stay below the
        ///     server's `max_connections`. Zero is refused when connecting.
        pub const fn connections(mut self, connections: u32) -> Self {
            self.settings.connections = connections;
            self
        }

        /// Sets whether the tables are created when connecting, if they are missing.
        ///
        /// # Default
        ///
        /// `true`; any number of processes may create them at the same time. With `false`, missing
        /// tables or another layout are an error of kind
        /// [`Config`](crate::store::StoreErrorKind::Config); [`migration_sql`](Self::migration_sql)
        /// returns the script to run.
        pub const fn migrate(mut self, migrate: bool) -> Self {
            self.settings.migrate = migrate;
            self
        }

        /// Sets how often expired sessions are removed, give or take a tenth. With `None`, they are
        /// removed only when [`sweep`](crate::store::SessionStore::sweep) is called. Zero is
        /// refused when connecting.
        ///
        /// Expired sessions are never visible, removed or not; this setting only affects space. Any
        /// number of nodes may sweep at the same time.
        ///
        /// # Default
        ///
        /// 30 seconds. Each check costs two index lookups.
        pub fn sweep_interval(
            mut self,
            interval: impl Into<Option<::core::time::Duration>>,
        ) -> Self {
            self.settings.sweep_interval = interval.into();
            self
        }
    };
}

pub(in crate::store) use shared_settings;
