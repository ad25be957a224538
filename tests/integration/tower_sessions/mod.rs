//! Applications of tower-sessions on our stores, and their move to ours: the same tests with
//! both of its versions.

mod v014;
mod v015;
