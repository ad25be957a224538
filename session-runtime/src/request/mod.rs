//! The session of one request: the only place where sessions and stores meet.
//!
//! - `session`: the state of a request, and access to its session
//! - `extension`: how extractors find it
//! - `load`: loads the session that the cookie opens; `replay`: reacts to a token replaced
//!   long ago; `adopt`: takes over the session of another library
//! - `backend`: implements what handles need
//! - `turn`: one commit at a time; `commit`: stores what handles have published
//! - `attempts`: the attempts of a commit, until its outcome is decided
//! - `answers`: the calls of the store in an attempt, and the handling of its answers
//! - `external`: notes where a session is found by its external id
//! - `kin`: related sessions of the browser, which a commit continues or ends
//! - `report`: events and log entries
//! - `settle`: updates the request's session after the store's answer
//! - `cookie`: decides which cookie the response sets
//! - `follow`: the cookie that follows a rolling session
//! - `take`: values that are handed out once
//! - `transaction`: runs each attempt as a small request inside the request
//! - `acting`: sessions in which one user acts as another
//! - `activity`: activity during a long-running handler
//! - `watch`: waits for the end or a change of a session
//! - `to_end`: commits that run to completion
//! - `response`: decides whether a response may be sent, and with what

mod acting;
mod activity;
mod adopt;
mod answers;
mod attempts;
mod backend;
mod commit;
mod cookie;
mod extension;
mod external;
mod follow;
mod kin;
mod load;
mod replay;
mod report;
mod response;
mod session;
mod settle;
mod succession;
mod take;
mod to_end;
mod transaction;
mod turn;
mod watch;

use self::attempts::{Attempts, Seen, Work};
use self::commit::Committed;
pub(crate) use self::extension::{Passed, RequestExtension};
use self::load::LookedUp;
pub(crate) use self::response::{Awaits, abandoned, begin, finish};
pub(crate) use self::session::RequestSession;
pub(crate) use self::to_end::ToEnd;
use self::transaction::Running;
