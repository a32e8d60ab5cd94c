//! kubeadm's ConfigMap is read and written by kubectl, and what is in it goes through pipes only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::bench::{Bench, Run, on_each_shell};
use crate::script;

/// A kubectl whose API server has the map in a file, and says no to an older version of it. It warns beside its answers.
const KUBECTL: &str = r#"
echo 'W1130 12:00:00.000000 warnings.go:70] an old version' >&2
[ "$1 $2" = '--kubeconfig admin.conf' ] || exit 64
shift 3
case $* in
'get --raw /api/v1/namespaces/kube-system/configmaps/kubeadm-config') cat map ;;
'replace --raw /api/v1/namespaces/kube-system/configmaps/kubeadm-config -f -')
    cat >sent
    if grep -q old sent; then
        echo 'Error from server (Conflict): Operation cannot be fulfilled' >&2
        exit 1
    fi
    mv sent map
    cat map
    ;;
*) exit 65 ;;
esac
"#;

fn prepared(bench: &Bench) {
    bench.program("kubectl", KUBECTL);
    bench.write("map", "{\"a\": 1}");
}

fn write(text: &str) -> Run<'static> {
    Run::unguarded(script::WRITE_KUBEADM_CONFIG, &["admin.conf"]).with(text.as_bytes())
}

#[test]
fn the_map_is_read_as_it_is() {
    on_each_shell(|bench| {
        prepared(bench);
        let read = Run::unguarded(script::READ_KUBEADM_CONFIG, &["admin.conf"]);
        let reply = bench.run(&read);
        let said = String::from_utf8(reply.stdout).unwrap();
        let text = STANDARD.decode(said.lines().next().unwrap()).unwrap();
        assert_eq!((reply.status, text.as_slice()), (0, b"{\"a\": 1}".as_slice()));
        bench.program("kubectl", "echo 'The connection was refused' >&2; exit 1");
        let reply = bench.run(&read);
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!(reply.status, 1, "{said}");
        assert!(said.contains("can't be read: The connection was refused"), "{said}");
    });
}

#[test]
fn the_map_is_written_whole_or_not_at_all() {
    on_each_shell(|bench| {
        prepared(bench);
        let text = r#"{"a": "$(touch hacked) \\ \n 'x'"}"#;
        let reply = bench.run(&Run { missing: 4, ..write(text) });
        assert_eq!((reply.status, bench.read("map").as_str()), (81, "{\"a\": 1}"));
        assert_eq!(bench.done(&write(text)), "changed");
        assert_eq!(bench.read("map"), text);
        assert_eq!(bench.entries(), ["bin", "bin/kubectl", "map"], "nothing of it stays elsewhere");
    });
}

#[test]
fn a_map_that_somebody_else_changed_stays_theirs() {
    on_each_shell(|bench| {
        prepared(bench);
        let reply = bench.run(&write("old"));
        assert_eq!((reply.status, bench.read("map").as_str()), (80, "{\"a\": 1}"));
        bench.program("kubectl", "echo 'The connection was refused' >&2; exit 1");
        let reply = bench.run(&write("new"));
        assert_eq!(reply.status, 1);
        assert!(String::from_utf8_lossy(&reply.stdout).contains("refused"));
    });
}
