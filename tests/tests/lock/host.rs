//! The lock of one host, as its scripts keep it.

/// What is done by whom, or left out to see that it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// As the scripts do.
    Real,
    /// A step does not compare the lock's generation with its own.
    NoFence,
    /// A run that takes the lock does not wait for running scripts.
    NoWaiting,
}

/// A run of quorate, by its number. In the lock's file it is the nonce.
pub(crate) type Run = usize;

/// How the lock of a host is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lease {
    /// Its time is not over.
    Lasts,
    /// Its time is over, and nobody gave it back.
    Expired,
    /// It was given back, or never taken.
    Free,
}

/// The file of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    /// Grows with every run that takes the lock.
    pub(crate) generation: u8,
    /// The run that took it last, unless it was broken.
    pub(crate) holder: Option<Run>,
    /// Whether that still counts.
    pub(crate) lease: Lease,
}

/// A script said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Lock {
    /// A host that was never locked.
    pub(crate) fn new() -> Self {
        Self { generation: 0, holder: None, lease: Lease::Free }
    }

    /// `lock_take.sh`: the generation that the run has from now on.
    pub(crate) fn take(&mut self, run: Run) -> Result<u8, Refused> {
        if self.holder != Some(run) {
            if self.lease == Lease::Lasts {
                return Err(Refused);
            }
            self.generation += 1;
        }
        (self.holder, self.lease) = (Some(run), Lease::Lasts);
        Ok(self.generation)
    }

    /// `lock_keep.sh`: the lease starts again.
    pub(crate) fn keep(&mut self, run: Run) -> Result<(), Refused> {
        self.check(run)?;
        // A renewal that was on its way when the lock was released comes too late.
        if self.lease == Lease::Free {
            return Err(Refused);
        }
        self.lease = Lease::Lasts;
        Ok(())
    }

    /// `lock_keep.sh` with no seconds: the lock is given back.
    pub(crate) fn give_back(&mut self, run: Run) -> Result<(), Refused> {
        self.check(run)?;
        self.lease = Lease::Free;
        Ok(())
    }

    /// `lock_break.sh`: the operator frees it.
    pub(crate) fn free(&mut self) {
        if self.lease == Lease::Lasts {
            *self = Self { generation: self.generation + 1, holder: None, lease: Lease::Free };
        }
    }

    /// `fence.sh`: whether a step of this generation may begin.
    pub(crate) fn lets_in(&self, generation: u8) -> bool {
        self.generation == generation && self.lease != Lease::Free
    }

    fn check(&self, run: Run) -> Result<(), Refused> {
        if self.holder == Some(run) { Ok(()) } else { Err(Refused) }
    }
}
