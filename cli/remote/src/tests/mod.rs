//! The transport against a real OpenSSH server, and the shell source against real shells.

mod algorithms;
mod authentication;
mod handshake;
mod host_certificates;
mod host_keys;
mod jump;
mod passphrases;
mod reach;
mod runs;
mod second_factors;
mod shells;
mod trouble;
mod user_certificates;
mod wakeups;
