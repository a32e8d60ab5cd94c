//! quorate on real hosts: the program as it is released, against systemd, sshd and etcd.
//!
//! Needs root. `./dev test`, or with the release built:
//! `cargo test -p quorate-tests --features lab --test lab -- --test-threads=1`.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]
#![expect(clippy::print_stdout, reason = "what was measured is shown with --show-output")]

mod harness;

/// Declares functions of this module as scenarios: each is a separate test, with members as units. With
/// members as pods the same are played by [`pods`].
macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        mod with_units {
            $(#[test]
            fn $name() {
                super::$name(quorate_lab::site::Runtime::Systemd);
            })+
        }

        pub(crate) const SCENARIOS: &[crate::harness::Scenario] = &[$((stringify!($name), $name)),+];
    };
}

mod backups;
mod client_certificates;
mod cost;
mod crash_points;
mod day_two;
mod defrag;
mod discovery;
mod discovery_services;
mod earlier_program;
mod families;
mod firewall;
mod first_apply;
mod first_week;
mod host_settings;
mod hostile_hosts;
mod hostile_values;
mod kubernetes;
mod login_shells;
mod lost_connections;
mod lost_memory;
mod membership;
mod moves;
mod nat;
mod object_storage;
mod pods;
mod refusals;
mod removal;
mod renewal;
mod replacing;
mod restore;
mod secrets;
mod security;
mod ssh;
mod stopped;
mod team;
mod tools;
mod troubled;
mod two_operators;
mod upgrade;
