//! `quorate client-cert`

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use inventories::ClusterName;
use pki::{CaKind, CertificateAuthority, CommonName, Leaf, LeafRequest};
use time::OffsetDateTime;

use super::Context;
use crate::authorities::create;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::keys::{self, IdentityArgs};
use crate::report::endpoints;
use crate::site::choose_cluster;

/// Arguments of `quorate client-cert`.
#[derive(Debug, Args)]
pub struct ClientCertArgs {
    /// The client's name; with etcd's authentication on, its user
    #[arg(long, value_name = "NAME")]
    cn: CommonName,
    /// The folder to write ca.crt, NAME.crt and NAME.key into; nothing in it is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The cluster; optional if the inventory has only one
    #[arg(long, value_name = "NAME")]
    cluster: Option<ClusterName>,
    /// What opens the CA.
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn run(context: &Context, arguments: &ClientCertArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let cluster = choose_cluster(&spec, arguments.cluster.as_ref())?;
    let files = Files::new(&arguments.out, &arguments.cn);
    files.refuse_existing()?;

    let now = OffsetDateTime::now_utc();
    let signer = (cluster.client_ca.clone(), CaKind::Client);
    let mut open = keys::open(
        &site,
        [signer.clone()],
        &arguments.identity,
        &context.terminal,
        &context.passphrases,
        now,
    )?;
    let authority = open.remove(&signer).ok_or_else(|| CliError::failed("the CA is not open"))?;
    let leaf =
        authority.issue(&LeafRequest::client(&arguments.cn), now).map_err(CliError::failed)?;
    files.write(&authority, &leaf).map_err(|error| {
        let doing = format!("cannot write to {}", arguments.out.display());
        CliError::failed(ErrorContext::new(doing, error))
    })?;

    let terminal = &context.terminal;
    let until = leaf.certificate.facts().not_after.date();
    terminal.say(&format!(
        "issued a client certificate for {} of cluster {}, valid until {until}",
        arguments.cn, cluster.name
    ));
    let servers = endpoints(cluster).join(",");
    terminal.print(&format!(
        "endpoints: {servers}\n\
         \n\
         kube-apiserver:\n  \
         --etcd-servers={servers}\n  \
         --etcd-cafile={}\n  \
         --etcd-certfile={}\n  \
         --etcd-keyfile={}",
        files.authority.display(),
        files.certificate.display(),
        files.key.display()
    ));
    Ok(ExitCode::Done)
}

/// The files of one client.
struct Files {
    folder: PathBuf,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(folder: &Path, name: &CommonName) -> Self {
        Self {
            folder: folder.to_owned(),
            authority: folder.join("ca.crt"),
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        }
    }

    /// Checked before anything is issued, so that no certificate is issued and then lost; `write`
    /// would not overwrite either.
    fn refuse_existing(&self) -> Result<(), CliError> {
        if self.certificate == self.authority {
            return Err(CliError::new(ExitCode::Usage, "--cn ca is the name of the CA's own file"));
        }
        for path in [&self.certificate, &self.key] {
            if path.exists() {
                let message = format!("{} is there already", path.display());
                return Err(CliError::failed(message)
                    .hint("delete it first, or give another folder with --out"));
            }
        }
        Ok(())
    }

    fn write(&self, authority: &CertificateAuthority, leaf: &Leaf) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let bundle = authority.certificate().pem();
        // Clients of one cluster share a folder, and the CA in it.
        if fs::read_to_string(&self.authority).ok().as_ref() != Some(&bundle) {
            create(&self.authority, bundle.as_bytes(), 0o644)?;
        }
        create(&self.key, leaf.key.expose(), 0o600)?;
        create(&self.certificate, leaf.certificate.pem().as_bytes(), 0o644)
    }
}
