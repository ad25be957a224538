//! The session of one request: the only place where sessions and stores meet.
//!
//! - `session`: what there is of a request, and who may ask for its session
//! - `extension`: how extractors find it
//! - `load`: what the request's cookie opens; `replay`: what follows if it was
//!   replaced; `adopt`: what one of another library opens
//! - `backend`: what its handles ask of it
//! - `commit`: storing what they published, one commit after the other
//! - `attempts`: one attempt of a commit after the other, until it is decided
//! - `answers`: what an attempt asks of the store, and what follows from the answer
//! - `kin`: which other sessions of the browser it goes on with, or ends
//! - `report`: what it came to, for whoever listens
//! - `settle`: what the request's session is once the store has answered
//! - `cookie`: which cookie follows from that
//! - `take`: values that are handed out once
//! - `transaction`: a small request per attempt, inside of the request
//! - `to_end`: commits that nobody may cut short
//! - `response`: whether a response may leave, and with what

mod adopt;
mod answers;
mod attempts;
mod backend;
mod commit;
mod cookie;
mod extension;
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

use self::attempts::{Attempts, Work};
use self::commit::Committed;
pub(crate) use self::extension::{Passed, RequestExtension};
use self::load::LookedUp;
pub(crate) use self::response::{abandoned, begin, finish};
pub(crate) use self::session::RequestSession;
pub(crate) use self::to_end::ToEnd;
use self::transaction::Running;
