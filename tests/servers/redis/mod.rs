//! The Redis store against real servers.

mod crowd;
mod disk;
mod failover;
mod faults;
mod half_way;
mod killed;
mod reach;
mod records;
mod refused;
mod requests;
mod rights;
mod steps;
mod suite;
mod tls;
mod walks;
