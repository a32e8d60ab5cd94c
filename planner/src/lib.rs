//! The pure core: (desired, observed, policy) to a plan. No I/O, no clock, no randomness, no secrets.
