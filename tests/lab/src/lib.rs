//! Real systemd hosts on this machine, for tests and for trying things out.
