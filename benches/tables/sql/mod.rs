//! SQL servers and files: by hand, another library, and this toolkit.

mod goals;
mod mariadb;
mod patches;
pub(crate) mod place;
mod postgres;
mod rounds;
mod sqlite;
pub(crate) mod tables;
