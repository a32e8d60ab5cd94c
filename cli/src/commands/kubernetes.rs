//! `quorate kubernetes`

use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use inventories::{Inventory, Kubernetes, KubernetesName};
use templates::apiserver::{ClientFiles, EtcdFlags, Format, render};

use super::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;

/// What API servers need of etcd.
#[derive(Debug, Subcommand)]
pub enum KubernetesCommand {
    /// Print how API servers reach etcd, for whatever deploys them
    ///
    /// Servers, overrides, certificates, prefix and further flags of [kubernetes.NAME], as flags of kube-apiserver or in
    /// the configuration of kubeadm, K3s, RKE2 or k0s. Looks at the inventory alone, at no host: while members are
    /// replaced, the inventory is ahead of the cluster. docs/kubernetes.md says where the certificate comes from.
    #[command(
        after_long_help = "Examples:\n  quorate kubernetes render\n  quorate kubernetes render prod --format kubeadm > etcd.yaml\n  quorate kubernetes render prod --out rendered      every format"
    )]
    Render(RenderArgs),
}

/// Arguments of `quorate kubernetes render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The Kubernetes cluster; optional if the inventory has only one
    #[arg(value_name = "NAME")]
    kubernetes: Option<KubernetesName>,
    /// How to write it; without it, flags, and with --out every format
    #[arg(long, value_name = "FORMAT", value_parser = formats(), hide_possible_values = true, help = FORMATS)]
    format: Option<Format>,
    /// Write into this folder instead of printing; earlier files of this command are overwritten
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const FORMATS: &str = "How to write it: flags, one a line; env, an EnvironmentFile of systemd; kubeadm and kubeadm-v1beta3, a ClusterConfiguration (before Kubernetes 1.31 it is v1beta3); k3s, rke2, k0s. Default: flags, and with --out all of them";

fn formats() -> impl clap::builder::TypedValueParser<Value = Format> {
    let names = PossibleValuesParser::new(Format::ALL.map(Format::as_str));
    names.try_map(|name| {
        Format::ALL.into_iter().find(|format| format.as_str() == name).ok_or("no such format")
    })
}

pub(super) fn run(context: &Context, command: &KubernetesCommand) -> Result<ExitCode, CliError> {
    let KubernetesCommand::Render(arguments) = command;
    let site = context.site()?;
    let (name, kubernetes) = choose(&site.inventory, arguments.kubernetes.as_ref())?;
    let told = EtcdFlags::wanted(&site.inventory, kubernetes, ClientFiles::new(name, kubernetes));
    let text = |format| render(format, name, &told).map_err(CliError::failed);
    let Some(folder) = &arguments.out else {
        let text = text(arguments.format.unwrap_or(Format::Flags))?;
        context.terminal.print(text.trim_end());
        return Ok(ExitCode::Done);
    };
    let formats = arguments.format.map_or(Format::ALL.to_vec(), |format| vec![format]);
    for format in formats {
        let path = folder.join(format.file_name(name));
        write(folder, &path, &text(format)?)?;
        context.terminal.say(&format!("wrote {}", path.display()));
    }
    Ok(ExitCode::Done)
}

fn write(folder: &Path, path: &Path, text: &str) -> Result<(), CliError> {
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| {
        CliError::failed(ErrorContext::new(format!("cannot write {}", path.display()), error))
    })
}

/// The Kubernetes cluster of this name, or the only one.
fn choose<'a>(
    inventory: &'a Inventory,
    named: Option<&KubernetesName>,
) -> Result<(&'a KubernetesName, &'a Kubernetes), CliError> {
    let all = &inventory.kubernetes;
    let names: Vec<&str> = all.keys().map(KubernetesName::as_str).collect();
    let hint = format!("the inventory has: {}", names.join(", "));
    let mut each = all.iter();
    match (named, each.next(), each.next()) {
        (_, None, _) => {
            let message = "the inventory has no Kubernetes cluster";
            let hint = "write: [kubernetes.prod]\nmode = \"render-only\"\ncluster = \"main\"";
            Err(CliError::new(ExitCode::Usage, message).hint(hint))
        }
        (Some(name), ..) => all.get_key_value(name).ok_or_else(|| {
            let message = format!("the inventory has no Kubernetes cluster {name}");
            CliError::new(ExitCode::Usage, message).hint(hint)
        }),
        (None, Some(only), None) => Ok(only),
        (None, ..) => {
            let message = "the inventory has several Kubernetes clusters; say which one";
            Err(CliError::new(ExitCode::Usage, message).hint(hint))
        }
    }
}
