//! What every store on a server promises, at the scale at which it has to hold:
//! thousands of rounds, two processes, more sign-ins than a cap allows.

mod clocks;
mod races;
mod worker;

use std::time::Duration;

use session_runtime::clock::Clock;
use session_runtime::store::{AnyStore, MySqlStore, PostgresStore, RedisStore};
use session_tests::promises::{refresh, watch};

/// What happens at a deadline is for other tests.
const PATIENT: Duration = Duration::from_secs(5);

/// A kind of server that is running, and how to come to a store of one's own
/// on it.
pub(crate) struct Place {
    pub(crate) url: String,
    /// A prefix, schema or table name that nobody else uses.
    pub(crate) space: String,
}

impl Place {
    pub(crate) fn new(url: String) -> Self {
        Self { url, space: format!("t{:08x}_", rand()) }
    }

    /// Another store in the same place, as another node would open it.
    pub(crate) async fn open(&self) -> AnyStore {
        self.open_by(Clock::system()).await
    }

    /// The same on a machine with this clock.
    pub(crate) async fn open_by(&self, clock: Clock) -> AnyStore {
        let space = self.space.as_str();
        let scheme = self.url.split(':').next().unwrap();
        match scheme {
            "mysql" | "mariadb" => {
                let options = MySqlStore::options().prefix(space).deadline(PATIENT).clock(clock);
                AnyStore::new(options.connect(&self.url).await.unwrap())
            }
            "postgres" | "postgresql" => {
                let options = PostgresStore::options().prefix(space).deadline(PATIENT).clock(clock);
                AnyStore::new(options.connect(&self.url).await.unwrap())
            }
            _ => {
                let options = RedisStore::options().prefix(space).clock(clock);
                AnyStore::new(options.connect(&self.url).await.unwrap())
            }
        }
    }
}

fn rand() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

#[tokio::main(flavor = "current_thread")]
async fn database_of(server: &session_tests::servers::MariaDb) -> String {
    use sqlx::Connection;
    let mut db = sqlx::MySqlConnection::connect(&server.url("")).await.unwrap();
    sqlx::Executor::execute(&mut db, "CREATE DATABASE IF NOT EXISTS promises").await.unwrap();
    server.url("promises")
}

/// Apart from the suite, whose sweeps look at every key of a database: ten
/// thousand logouts leave as many tombstones for a minute.
fn database_1(server: &session_tests::servers::redis::Server) -> String {
    format!("{}/1", server.url())
}

/// What the stores of one process promise through the layer, too.
macro_rules! through_the_layer {
    ($($theme:ident: $promise:ident;)*) => {
        $(#[test]
        fn $promise() {
            let place = place();
            on_a_runtime(async move {
                session_tests::promises::$theme::$promise(&place.open().await).await;
            });
        })*
    };
}

/// Servers are started outside of one.
fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

macro_rules! on {
    ($($kind:ident: $url:expr;)*) => {
        $(mod $kind {
            use super::*;

            fn place() -> Place {
                Place::new($url)
            }

            #[test]
            fn two_processes_lose_none_of_a_thousand_disjoint_changes() {
                worker::disjoint_changes(place());
            }

            #[test]
            fn six_hundred_and_forty_increments_at_once_are_all_counted() {
                races::increments(place());
            }

            #[test]
            fn of_ten_thousand_logouts_none_is_undone_by_a_write_in_flight() {
                races::logouts(place());
            }

            #[test]
            fn of_more_sign_ins_than_the_cap_as_many_as_it_allows_go_through() {
                races::caps(place());
            }

            #[test]
            fn a_login_is_older_than_a_revocation_whatever_the_nodes_clock_says() {
                clocks::logins(place());
            }

            #[test]
            fn no_deadline_is_too_long() {
                clocks::patience(place());
            }

            #[test]
            fn refreshes_at_once_lost_or_late_sign_nobody_out() {
                let place = place();
                on_a_runtime(async move {
                    let clock = Clock::frozen(Clock::system().now());
                    let store = place.open_by(clock.clone()).await;
                    refresh::refreshes_sign_nobody_out(&store, &clock, 150).await;
                });
            }

            #[test]
            fn sockets_of_another_node_end_with_their_session() {
                let place = place();
                on_a_runtime(async move {
                    let (here, there) = (place.open().await, place.open().await);
                    watch::sockets_of_another_node_end_with_their_session(
                        &here, &there, watch::INTERVAL,
                    )
                    .await;
                });
            }

            through_the_layer! {
                realms: tokens_open_nothing_in_another_realm;
                realms: users_of_one_number_are_apart;
                realms: a_login_ticket_is_stopped_in_its_own_realm;
                realms: a_former_realm_is_opened_as_long_as_it_is_accepted;
                over: who_was_signed_out_elsewhere_starts_afresh_at_once;
                over: requests_with_one_dead_cookie_share_one_session;
                over: a_proof_is_no_session_to_share;
                over: a_slow_answer_does_not_undo_the_next_sign_in;
                over: a_late_request_of_a_browser_that_signed_out_stores_nothing;
                over: a_login_that_is_sent_twice_is_one_session;
                over: a_change_of_user_that_is_sent_twice_is_one_session;
                over: a_login_that_is_sent_twice_keeps_what_its_user_changed_in_place;
                over: a_planted_cookie_joins_no_sign_in;
                over: a_repeated_sign_in_inherits_no_later_privilege;
                over: a_cookie_that_was_withheld_is_not_replaced;
                over: of_two_live_cookies_none_counts_and_both_can_be_ended;
                over: a_sign_in_whose_answer_is_lost_is_not_counted;
                users: another_user_finds_nothing_but_what_is_marked;
                users: what_the_request_sets_goes_along;
                users: the_rest_of_the_request_sees_nothing_of_the_former_user;
                users: the_same_user_and_the_first_one_keep_the_session;
                users: a_denied_sign_in_leaves_the_former_user_signed_in;
                users: a_former_session_that_cannot_be_ended_is_a_503;
                users: a_late_request_of_the_former_user_changes_nothing;
                users: two_users_at_once_have_a_session_each;
            }
        })*
    };
}

on! {
    redis: database_1(session_tests::servers::redis::single().expect("redis-server is installed"));
    cluster: session_tests::servers::redis::cluster().expect("redis-server is installed").url();
    postgres: crate::postgres::server().url(crate::postgres::DATABASE);
    mariadb: database_of(crate::mysql::shared());
}
