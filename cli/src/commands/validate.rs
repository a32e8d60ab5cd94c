//! `quorate validate`

use super::Context;
use crate::error::CliError;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let mut lines = vec![format!("{}: site {} is sound", site.path.display(), spec.site)];
    for (name, cluster) in &spec.clusters {
        let members: Vec<&str> = cluster.members.keys().map(|host| host.as_str()).collect();
        lines.push(format!("  cluster {name}: etcd {}, {}", cluster.version, members.join(", ")));
    }
    context.terminal.print(&lines.join("\n"));
    Ok(ExitCode::Done)
}
