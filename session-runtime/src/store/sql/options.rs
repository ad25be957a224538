//! The settings that all stores on SQL servers have, as methods of their options.

/// Methods of options with a field `settings`.
macro_rules! shared_settings {
    () => {
        /// What the names of the tables begin with: at most 40 characters of a-z, 0-9 and
        /// `_`. Two stores with different prefixes share nothing.
        ///
        /// # Default
        ///
        /// Nothing: `session`, `session_revocation` and so on.
        pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
            self.prefix = prefix.into();
            self
        }

        /// The clock that decides expiry.
        ///
        /// # Default
        ///
        /// The system clock: then it is the **server's** clock that decides, read after
        /// every wait for a lock, so that nodes whose clocks differ agree. New records are
        /// stamped with the clock of the node: keep both in step (NTP). Another clock, such
        /// as a frozen one in tests, decides by itself.
        pub fn clock(mut self, clock: $crate::clock::Clock) -> Self {
            self.settings.clock = clock;
            self
        }

        /// How large fields and records may become, through this store.
        ///
        /// # Default
        ///
        /// [`Limits::default`](crate::store::Limits::default).
        pub const fn limits(mut self, limits: $crate::store::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// How long a call may take, from the wait for a connection to the last try. Locks
        /// are waited for no longer on the server. After it the answer is an error of kind
        /// [`Timeout`](crate::store::StoreErrorKind::Timeout), or
        /// [`Outcome::Uncertain`](crate::record::patch::Outcome::Uncertain) for a patch that may have
        /// been stored.
        ///
        /// # Default
        ///
        /// 2 seconds. Zero is refused when connecting.
        pub const fn deadline(mut self, deadline: ::core::time::Duration) -> Self {
            self.settings.deadline = deadline;
            self
        }

        /// How many connections [`connect`](Self::connect) opens at most. A pool that is
        /// handed in has a number of its own.
        ///
        /// # Default
        ///
        /// Ten. A call holds one for a few statements, a millisecond or two: more help only
        /// where the network is slow. All nodes together must stay below the server's
        /// `max_connections`. Zero is refused when connecting.
        pub const fn connections(mut self, connections: u32) -> Self {
            self.settings.connections = connections;
            self
        }

        /// Whether to create the tables when connecting, if they are missing.
        ///
        /// # Default
        ///
        /// `true`; any number of processes may do so at once. With `false`, tables that are
        /// missing or of another layout are an error of kind
        /// [`Config`](crate::store::StoreErrorKind::Config);
        /// [`migration_sql`](Self::migration_sql) gives the script to run.
        pub const fn migrate(mut self, migrate: bool) -> Self {
            self.settings.migrate = migrate;
            self
        }

        /// How often a task looks for what is due for removal, give or take a tenth. `None`:
        /// only when [`sweep`](crate::store::SessionStore::sweep) is called. Zero is refused
        /// when connecting.
        ///
        /// Expired sessions are never seen, swept or not; this is about space. Any number of
        /// nodes may do it at once.
        ///
        /// # Default
        ///
        /// 30 seconds. Looking costs a step in two indexes.
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
