//! Running scripts on a host over SSH.
