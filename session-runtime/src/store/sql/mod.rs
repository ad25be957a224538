//! Sessions on SQL servers: one store for all of them. `docs/form.md` describes it, in the section
//! "SQL servers".
//!
//! - [`dialect`]: the interface to a kind of server; [`statements`]: the statements shared by all
//! - [`server`], [`line`]: retries and deadlines; the connection of a call
//! - [`load`], [`apply`], [`create`], [`end`], [`list`], [`sweep`]: the operations; [`sign_in`]:
//!   the conditions on the other sessions of a principal
//! - [`place`]: the order of the sessions of a principal
//! - [`connect`]: settings, and the checks when connecting; [`options`]: the methods that set them;
//!   [`url`]: the parameters of a URL
//! - [`store`]: the store itself
//! - [`certificate`]: advice about a certificate that is refused
//!
//! A row holds the form of a session. All decisions are made here, by the rules of the record,
//! while the row is locked or if it is still the one that was read.

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
