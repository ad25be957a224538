//! Stores that were written for tower-sessions, below ours: the same tests with both of its
//! versions.

mod v014;
mod v015;
