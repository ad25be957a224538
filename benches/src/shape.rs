//! What is kept in a session.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::FromRequestParts;
use seq_macro::seq;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session_runtime::{Session, SessionRejection, SessionSchema};

/// A struct that every subject keeps in its sessions, each in its own way.
pub trait Shape:
    SessionSchema<Session: FromRequestParts<(), Rejection = SessionRejection>>
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
{
    /// What the application knows of a user who signs in.
    fn of(user: u64) -> Self;
    /// The one field that is read and changed.
    fn visits_mut(&mut self) -> &mut u32;
    /// Sets every field.
    fn fill(self, session: &mut Session<Self>);
    /// Reads the one field.
    fn read(session: &Session<Self>) -> u32;
    /// Reads and changes the one field.
    fn change(session: &mut Session<Self>) -> u32;
}

/// Everybody who signs in is somebody else.
#[must_use]
pub fn next_user() -> u64 {
    static USER: AtomicU64 = AtomicU64::new(1);
    USER.fetch_add(1, Ordering::Relaxed)
}

/// A text of `len` bytes, another one for each of eight columns of each row. No database packs it: what people write is not
/// the same letter again and again.
fn text(row: usize, column: usize, len: usize) -> String {
    static NOISE: LazyLock<String> = LazyLock::new(|| {
        let mut state = 1_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(
                b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345 6789."
                    [(state >> 58) as usize],
            )
        };
        (0..8_192).map(|_| letter()).collect()
    });
    let begin = (8 * row + column) * 67 % (NOISE.len() - len);
    NOISE[begin..begin + len].to_owned()
}

macro_rules! visits {
    () => {
        fn visits_mut(&mut self) -> &mut u32 {
            &mut self.visits
        }

        fn read(session: &Session<Self>) -> u32 {
            session.visits()
        }

        fn change(session: &mut Session<Self>) -> u32 {
            session.set_visits(session.visits() + 1);
            session.visits()
        }
    };
}

/// A visitor of a shop.
#[derive(SessionSchema, Serialize, Deserialize)]
pub struct Small {
    #[session(principal)]
    user_id: Option<u64>,
    username: Option<String>,
    csrf: String,
    visits: u32,
    locale: String,
}

impl Shape for Small {
    fn of(user: u64) -> Self {
        Self {
            user_id: Some(user),
            username: Some("adalovelace1".to_owned()),
            csrf: text(0, 0, 32),
            visits: 0,
            locale: "en".to_owned(),
        }
    }

    fn fill(self, session: &mut Session<Self>) {
        self.user_id.into_iter().for_each(|id| session.set_user_id(id));
        self.username.into_iter().for_each(|name| session.set_username(name));
        session.set_csrf(self.csrf);
        session.set_visits(self.visits);
        session.set_locale(self.locale);
    }

    visits!();
}

seq!(N in 0..10 {
    /// Fifty fields: ten integers, thirty strings, ten lists; about 5 KB.
    #[derive(SessionSchema, Serialize, Deserialize)]
    pub struct Large {
        visits: u32,
        number_1: i64,
        number_2: i64,
        number_3: i64,
        number_4: i64,
        number_5: i64,
        number_6: i64,
        number_7: i64,
        number_8: i64,
        number_9: i64,
        #(
            title_~N: String,
            summary_~N: String,
            address_~N: String,
            tags_~N: Vec<String>,
        )*
    }

    impl Shape for Large {
        fn of(user: u64) -> Self {
            let number = 1_000_000 + (user % 1_000) as i64;
            Self {
                visits: 0,
                number_1: number,
                number_2: number,
                number_3: number,
                number_4: number,
                number_5: number,
                number_6: number,
                number_7: number,
                number_8: number,
                number_9: number,
                #(
                    title_~N: text(N, 0, 64),
                    summary_~N: text(N, 1, 64),
                    address_~N: text(N, 2, 64),
                    tags_~N: (3..8).map(|tag| text(N, tag, 26)).collect(),
                )*
            }
        }

        fn fill(self, session: &mut Session<Self>) {
            session.set_visits(self.visits);
            session.set_number_1(self.number_1);
            session.set_number_2(self.number_2);
            session.set_number_3(self.number_3);
            session.set_number_4(self.number_4);
            session.set_number_5(self.number_5);
            session.set_number_6(self.number_6);
            session.set_number_7(self.number_7);
            session.set_number_8(self.number_8);
            session.set_number_9(self.number_9);
            #(
                session.set_title_~N(self.title_~N);
                session.set_summary_~N(self.summary_~N);
                session.set_address_~N(self.address_~N);
                session.set_tags_~N(self.tags_~N);
            )*
        }

        visits!();
    }
});

/// A shape of `$count` fields of 24 bytes, to see what the number costs.
macro_rules! wide {
    ($name:ident, $count:literal, $others:literal) => {
        seq!(N in 0..$others {
            #[doc = concat!(stringify!($count), " fields.")]
            #[derive(SessionSchema, Serialize, Deserialize)]
            pub struct $name {
                visits: u32,
                #(field_~N: String,)*
            }

            impl Shape for $name {
                fn of(_: u64) -> Self {
                    Self { visits: 0, #(field_~N: text(N, 0, 24),)* }
                }

                // Hundreds of setters in one function keep the compiler busy for minutes.
                fn fill(self, session: &mut Session<Self>) {
                    session.replace(self);
                }

                visits!();
            }
        });
    };
}

wide!(Five, 5, 4);
wide!(Fifty, 50, 49);
wide!(FiveHundred, 500, 499);
