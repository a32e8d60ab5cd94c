//! What a host sets for all its services: none of it reaches a member.

use quorate_lab::SiteOptions;

use crate::harness::{Members, NEWEST, Stage, on, serves};

const PROXY: &str = "http://127.0.0.1:9";

#[test]
fn what_a_host_sets_for_all_services_reaches_no_member() {
    let stage = Stage::ready("h-env", 3, &SiteOptions::default());
    let manager = format!(
        "mkdir -p /etc/systemd/system.conf.d /etc/systemd/system/service.d && printf '[Manager]\\n\
         DefaultEnvironment=HTTPS_PROXY={PROXY} https_proxy={PROXY} ETCD_NAME=x GODEBUG=x509sha1=1\\n' \
         > /etc/systemd/system.conf.d/proxy.conf && printf '[Service]\\nLimitCORE=1M\\n' \
         > /etc/systemd/system/service.d/10-all.conf && printf 'ETCDCTL_CACERT=/x\\n' >> /etc/environment \
         && systemctl daemon-reexec && systemctl set-environment ETCD_DATA_DIR=/x"
    );
    for host in stage.hosts() {
        on(&host, &manager);
    }
    // systemd can't run it (203/EXEC), as if the unit named it in a folder where it is not.
    let broken = "echo '#!/nowhere' > /usr/bin/touch.new && chmod 755 /usr/bin/touch.new && \
                  mv /usr/bin/touch.new /usr/bin/touch";
    on(&stage.host(3), broken);
    // As on a host whose /usr is an image: /lib, /bin and /sbin lead there.
    for host in stage.hosts() {
        on(
            &host,
            "mount --bind /usr /usr && mount -o remount,ro,bind /usr && ! touch /usr/x /lib/x 2>/dev/null",
        );
    }

    let first = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    first.says("service.d/10-all.conf sets LimitCORE of etcd-main.service");
    stage.run(&["apply", "--yes"]).ends(0);
    let plan = stage.expect_nothing_to_do();
    plan.says("service.d/10-all.conf sets LimitCORE of etcd-main.service");
    on(&stage.host(3), "test ! -e /var/lib/quorate/main/quorum-seen");
    on(&stage.host(2), "test -e /var/lib/quorate/main/quorum-seen");
    for host in stage.hosts() {
        let environment = on(&host, "tr '\\0' '\\n' < /proc/$(pgrep -x etcd)/environ");
        assert_eq!(environment, "NOTIFY_SOCKET=/run/systemd/notify");
    }
    stage.run(&["etcdctl", "--", "endpoint", "health"]).ends(0);
    for host in stage.hosts() {
        // The stage's own etcdctl would stumble over it.
        on(&host, "sed -i /ETCDCTL/d /etc/environment");
    }

    for host in stage.hosts() {
        on(&host, "! touch /usr/x 2>/dev/null");
    }
    let host = stage.host(2);
    host.reboot().unwrap();
    serves(&host);
    Members::of_main(NEWEST, 3).expect_whole(&stage);
    stage.expect_nothing_to_do();
}
