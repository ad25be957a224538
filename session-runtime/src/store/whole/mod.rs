//! A session store on top of one that keeps whole records.
//!
//! - `contract`: what that one has to do
//! - `adapter`: the whole of [`SessionStore`](super::SessionStore) with it
//! - `locks`, `tombstones`: what the adapter keeps in this process
//!
//! What the bytes are: `record/whole.rs`.

mod adapter;
mod contract;
mod locks;
mod tombstones;

pub use adapter::WholeRecords;
pub use contract::WholeRecordStore;
