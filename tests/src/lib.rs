//! Scenarios and laws over the strict simulator.
