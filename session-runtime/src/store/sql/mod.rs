//! Sessions on SQL servers: one store for all of them. `docs/form.md` describes it, in
//! the section "SQL servers".
//!
//! - [`dialect`]: what a kind of server does in its own way; [`statements`]: what is
//!   said to all of them
//! - [`server`], [`line`]: tries and deadlines; a connection while a call has it
//! - [`load`], [`apply`], [`create`], [`end`], [`list`], [`sweep`]: the operations;
//!   [`sign_in`]: what must hold of the other sessions of a principal
//! - [`place`]: where a session stands among those of its principal
//! - [`connect`]: settings, and what is checked before anything else; [`options`]: the
//!   methods that set them; [`url`]: the parameters of a URL
//! - [`store`]: the store itself
//! - [`certificate`]: words about a certificate that is refused
//!
//! A row keeps the form of a session. What decides is the rulebook of the record, here,
//! while the row is locked or is still the one that was read.

mod apply;
mod certificate;
mod connect;
mod create;
mod dialect;
mod end;
mod line;
mod list;
mod load;
mod options;
mod place;
mod server;
mod sign_in;
mod statements;
mod store;
mod sweep;
mod url;

pub(super) use self::certificate::certificate;
pub(super) use self::connect::Settings;
pub(super) use self::dialect::{Answer, Arg, Cell, Dialect, Fault, Row, Scope};
pub(super) use self::options::shared_settings;
pub(super) use self::statements::{Sql, Words};
pub(super) use self::store::Store;
pub(super) use self::url::parameters;
