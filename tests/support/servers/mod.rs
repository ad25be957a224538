//! Real servers, one of each kind for a whole test program, on private ports
//! or sockets under a temporary directory.

pub mod mariadb;
pub mod postgres;
pub mod process;
pub mod program;
pub mod proxy;
#[cfg(feature = "servers")]
pub mod redis;

pub use mariadb::MariaDb;
pub use postgres::{PgBouncer, Postgres};
pub use process::{Process, free_port};
pub use program::{left_out, program};
pub use proxy::Proxy;
