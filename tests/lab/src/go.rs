//! Programs built from Go modules, each in a module of its own that is thrown away afterwards: two
//! versions of a program can't share one.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::error::LabError;
use crate::tool;

/// A module in which programs are built.
pub(crate) struct Module {
    folder: PathBuf,
}

impl Module {
    /// Makes an empty module in a folder of this name.
    pub(crate) fn make(folder: PathBuf) -> Result<Self, LabError> {
        cache::ensure_folder(&folder)?;
        let module = Self { folder };
        module.go(["mod", "init", "quorate.invalid/lab"])?;
        Ok(module)
    }

    /// Where the sources of its own package go.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs `go` in it, and returns what it printed.
    pub(crate) fn go<I, S>(&self, args: I) -> Result<String, LabError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        // The build is long and may yield to other work on this machine.
        let mut command = Command::new("nice");
        command.args(["-n", "10", "go"]).args(args).current_dir(&self.folder);
        command.env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").env("GOWORK", "off");
        tool::finish(&mut command)
    }

    /// Builds one program, with variables of its packages set by `-X` in `settings`.
    pub(crate) fn build(
        &self,
        package: &str,
        settings: &str,
        program: &Path,
    ) -> Result<(), LabError> {
        let flags = format!("-ldflags=-s -w {settings}");
        let fixed = ["build", "-trimpath", "-buildvcs=false", flags.trim_end(), "-o"];
        let fixed = fixed.into_iter().map(AsRef::as_ref);
        self.go(fixed.chain([program.as_os_str(), package.as_ref()])).map(drop)
    }

    /// Takes the module away; what was built from it stays.
    pub(crate) fn discard(self) -> Result<(), LabError> {
        fs::remove_dir_all(&self.folder).map_err(LabError::file("remove", &self.folder))
    }
}
