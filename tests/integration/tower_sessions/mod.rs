//! Applications of tower-sessions on our stores, and their move to ours.

mod above;
mod moved;
mod schemas;
