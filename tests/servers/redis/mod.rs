//! The Redis store against real servers.

mod crowd;
mod disk;
mod failover;
mod faults;
mod half_way;
mod killed;
mod reach;
mod records;
mod requests;
mod steps;
mod suite;
mod walks;
