//! Small programs: what a few clients do to one session, each in its own order.

use std::fmt;

/// What a handler does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Read,
    A(u32),
    B(u32),
    Add(i64),
    Flash(u32),
    Take,
    Role(u32),
    Plant(u32),
    Save,
    Renew,
    SignIn(u64),
    SignOut,
    Destroy,
    /// Lets others run.
    Pause,
    /// Answers 500.
    Fail,
    Code(u32),
    Consume,
    Bits(u32),
    Exact(u32),
    Once(u32),
    Kept(u32),
    /// Adds one to `a` in a transaction.
    Transaction,
}

/// Which cookie a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// What the client's jar holds by then.
    Jar,
    /// The one that all clients began with.
    First,
    None,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Ask(Cookie, Vec<Act>),
    /// To a layer of another realm, with the cookie that all clients began with,
    /// and then with what that layer answered.
    Elsewhere(Vec<Act>),
    /// The clock moves by so many minutes.
    Wait(u64),
    Sweep,
    RevokeAll(u64),
}

/// The session that all clients hold a cookie of at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Nothing,
    Anonymous,
    SignedIn,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) start: Start,
    pub(crate) clients: Vec<Vec<Step>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.start)?;
        self.clients.iter().try_for_each(|steps| write!(f, " | {steps:?}"))
    }
}

pub(crate) fn ask(acts: &[Act]) -> Step {
    Step::Ask(Cookie::Jar, acts.to_vec())
}

/// Every action, with values that tell `client` from the others.
pub(crate) fn actions(client: usize) -> Vec<Act> {
    let own = client as u32 + 2;
    vec![
        Act::Read,
        Act::A(own),
        Act::B(own),
        Act::Add(1 << (2 * client)),
        Act::Flash(own),
        Act::Take,
        Act::Role(own),
        Act::Plant(own),
        Act::Renew,
        Act::SignIn(1),
        Act::SignIn(2),
        Act::SignOut,
        Act::Destroy,
    ]
}

/// What makes a session another user's, and what meets it.
pub(crate) fn users(client: usize) -> Vec<Act> {
    let own = client as u32 + 2;
    vec![
        Act::SignIn(1),
        Act::SignIn(2),
        Act::SignOut,
        Act::Kept(own),
        Act::A(own),
        Act::Add(1 << (2 * client)),
        Act::Role(own),
        Act::Plant(own),
        Act::Bits(1 << client),
        Act::Once(own),
        Act::Take,
        Act::Consume,
        Act::Transaction,
        Act::Destroy,
    ]
}

/// What happens around the clients.
pub(crate) fn surroundings() -> Vec<Step> {
    vec![Step::Wait(30), Step::Wait(32), Step::Sweep, Step::RevokeAll(1)]
}

/// Every sequence of exactly `length` of `all`.
pub(crate) fn sequences<T: Clone>(all: &[T], length: usize) -> Vec<Vec<T>> {
    let mut found = vec![Vec::new()];
    for _ in 0..length {
        let longer = |one: &Vec<T>| {
            let one = one.clone();
            all.iter().map(move |next| one.iter().cloned().chain([next.clone()]).collect())
        };
        found = found.iter().flat_map(longer).collect();
    }
    found
}

/// What the policies of fields decide about, and what gets in its way.
pub(crate) fn policies(client: usize) -> Vec<Act> {
    let own = client as u32 + 2;
    vec![
        Act::Bits(1 << client),
        Act::Exact(own),
        Act::Once(own),
        Act::Once(9),
        Act::Code(own),
        Act::Consume,
        Act::Transaction,
        Act::A(own),
        Act::SignIn(2),
        Act::Destroy,
    ]
}
