//! Real servers, one of each kind for a whole test program, on private ports
//! or sockets under a temporary directory.

pub mod certificate;
pub mod fake;
pub mod mariadb;
pub mod postgres;
pub mod process;
pub mod program;
pub mod proxy;
#[cfg(feature = "servers")]
pub mod redis;
pub mod space;

pub use certificate::Certificate;
pub use fake::Fake;
pub use mariadb::MariaDb;
pub use postgres::{PgBouncer, Postgres};
pub use process::{Process, free_port};
pub use program::{left_out, program};
pub use proxy::Proxy;
pub use space::Space;
