//! `quorate kubernetes`: what is rendered for API servers, and of which Kubernetes cluster.

use crate::sandbox::{Sandbox, site, snapshot};

const FORMATS: [&str; 7] = ["flags", "env", "kubeadm", "kubeadm-v1beta3", "k3s", "rke2", "k0s"];

/// Two etcd clusters, and API servers that use both.
fn sandbox(kubernetes: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = site([1, 2, 3]);
    let events = "[clusters.events]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\", \"etcd-2\", \"etcd-3\"]\n\
         ports = { client = 2479, peer = 2480, metrics = 2481 }\nclient-ca = \"main\"\naccount = \"etcd-events\"\n";
    sandbox.write("quorate.toml", &format!("{text}\n{events}\n{kubernetes}"));
    sandbox
}

const PROD: &str = "[kubernetes.prod]\nmode = \"render-only\"\ncluster = \"main\"\n\
    overrides = { \"/events\" = \"events\" }\nflags = { etcd-compaction-interval = \"10m\" }\n";

#[test]
fn every_format_is_printed_as_reviewed() {
    let sandbox = sandbox(PROD);
    let mut all = String::new();
    for format in FORMATS {
        let arguments = ["kubernetes", "render", "--format", format];
        let ended = sandbox.run(&arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{format}");
        all.push_str(&format!("$ quorate {}\n{}\n", arguments.join(" "), ended.stdout));
    }
    snapshot("kubernetes.txt", &all);
}

#[test]
fn a_folder_gets_what_would_have_been_printed() {
    let sandbox = sandbox(PROD);
    let ended = sandbox.run(&["kubernetes", "render", "--out", "rendered/etcd"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    for format in FORMATS {
        let printed = sandbox.run(&["kubernetes", "render", "prod", "--format", format]).stdout;
        let file = match format {
            "flags" | "env" => format!("rendered/etcd/prod.{format}"),
            _ => format!("rendered/etcd/prod-{format}.yaml"),
        };
        assert_eq!(sandbox.read(&file), printed, "{file}");
    }
    // It is generated, so the next run may replace it.
    let again = ["kubernetes", "render", "--out", "rendered/etcd", "--format", "k3s"];
    assert_eq!(sandbox.run(&again).code, 0);
    sandbox.write("file", "");
    assert_eq!(sandbox.run(&["kubernetes", "render", "--out", "file"]).code, 1);
}

#[test]
fn api_servers_that_quorate_configures_are_told_where_it_puts_the_files() {
    let wired = PROD.replace("render-only", "static-pod") + "apiservers = [\"etcd-1\"]\n";
    for (kubernetes, file) in [
        (PROD, "/etc/kubernetes/pki/quorate-prod/kube-apiserver-etcd-client.key"),
        (wired.as_str(), "/etc/kubernetes/pki/quorate-prod/current/client.key"),
    ] {
        let printed = sandbox(kubernetes).run(&["kubernetes", "render"]).stdout;
        assert!(printed.contains(&format!("--etcd-keyfile={file}\n")), "{printed}");
    }
}

#[test]
fn which_one_is_asked_where_there_are_several_or_none() {
    let two = format!(
        "{PROD}[kubernetes.test]\nmode = \"render-only\"\ncluster = \"main\"\nprefix = \"/test\"\n"
    );
    let sandbox = sandbox(&two);
    let ended = sandbox.run(&["kubernetes", "render"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("the inventory has: prod, test"), "{}", ended.stderr);
    let ended = sandbox.run(&["kubernetes", "render", "test"]);
    assert!(ended.stdout.contains("--etcd-prefix=/test\n"), "{}", ended.stdout);
    let ended = sandbox.run(&["kubernetes", "render", "dev"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("no Kubernetes cluster dev"), "{}", ended.stderr);
    let ended = Sandbox::with_site().run(&["kubernetes", "render"]);
    assert!(ended.stderr.contains("write: [kubernetes.prod]"), "{}", ended.stderr);
}
