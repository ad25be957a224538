//! A session store on top of one that stores whole records.
//!
//! - `contract`: the contract of that store
//! - `adapter`: [`SessionStore`](super::SessionStore) on top of it
//! - `locks`, `tombstones`: what the adapter keeps in this process
//!
//! The bytes are the form in `record/form`, as one value.

mod adapter;
mod contract;
mod locks;
mod tombstones;

pub use adapter::WholeRecords;
pub use contract::WholeRecordStore;
