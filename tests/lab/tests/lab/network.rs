//! Reached, cut off, parted, silenced, far apart.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::delay::RoundTrip;
use quorate_lab::site::{Delivery, Family};
use quorate_lab::{Host, SiteOptions, releases};

use crate::{lab, text};

/// Whether sshd at this address greets us.
fn greets(address: impl Into<IpAddr>) -> bool {
    let patience = Duration::from_millis(700);
    let Ok(mut stream) = TcpStream::connect_timeout(&SocketAddr::new(address.into(), 22), patience)
    else {
        return false;
    };
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
}

/// Whether one host reaches sshd of another.
fn reaches(from: &Host, to: IpAddr) -> bool {
    from.ssh(&format!("timeout 0.7 bash -c 'exec 3<>/dev/tcp/{to}/22'")).unwrap().status.success()
}

#[test]
fn every_host_is_reached_by_both_of_its_addresses() {
    let lab = lab("t-both", 2);
    let [one, two] = [lab.host(1).unwrap(), lab.host(2).unwrap()];
    assert!(greets(one.address()) && greets(one.address_v6()));
    assert!(reaches(&one, two.address().into()) && reaches(&one, two.address_v6().into()));
}

#[test]
fn two_labs_do_not_reach_each_other() {
    let (here, there) = (lab("t-here", 1), lab("t-there", 1));
    assert_ne!(here.subnet(), there.subnet());
    let [one, other] = [here.host(1).unwrap(), there.host(1).unwrap()];
    assert!(greets(one.address()) && greets(other.address()));
    assert!(!reaches(&one, other.address().into()) && !reaches(&one, other.address_v6().into()));
}

#[test]
fn a_cut_host_is_reached_by_nobody_until_it_is_healed() {
    let lab = lab("t-cut", 2);
    let [one, two] = [lab.host(1).unwrap(), lab.host(2).unwrap()];
    one.cut().unwrap();
    assert!(!greets(one.address()) && !greets(one.address_v6()));
    assert!(!reaches(&two, one.address().into()));
    assert!(greets(two.address()));
    one.reboot().unwrap();
    assert!(!greets(one.address()), "a reboot heals nothing");
    one.heal().unwrap();
    assert!(greets(one.address()) && reaches(&two, one.address_v6().into()));
}

/// The kernel asks three times, a second apart, where a neighbour is, and then fails whatever was sent to it.
/// Here the last question is lost with the host cut off, and the host is healed before the failure.
#[test]
fn a_host_that_is_healed_is_reached_whenever_somebody_looked_for_it_before() {
    let lab = lab("t-heal", 2);
    let [one, two] = [lab.host(1).unwrap(), lab.host(2).unwrap()];
    for moment in [2200, 2500, 2800] {
        one.cut().unwrap();
        let forget = ["neigh", "flush", "to", &one.address().to_string()];
        assert!(Command::new("ip").args(forget).status().unwrap().success());
        assert!(two.ssh(&format!("ip {}", forget.join(" "))).unwrap().status.success());
        let (from, to) = (two.clone(), one.address());
        let looking =
            [thread::spawn(move || reaches(&from, to.into())), thread::spawn(move || greets(to))];
        thread::sleep(Duration::from_millis(moment));
        one.heal().unwrap();
        assert!(greets(one.address()), "the operator, after {moment} ms");
        assert!(reaches(&two, one.address().into()), "its neighbour, after {moment} ms");
        assert_eq!(looking.map(|look| look.join().unwrap()), [false, false]);
    }
}

#[test]
fn parted_hosts_are_both_reached_by_the_operator() {
    let lab = lab("t-part", 3);
    let [one, two, three] = [1, 2, 3].map(|number| lab.host(number).unwrap());
    one.partition(&two).unwrap();
    assert!(!reaches(&one, two.address().into()) && !reaches(&two, one.address_v6().into()));
    assert!(reaches(&one, three.address().into()) && reaches(&two, three.address().into()));
    two.heal().unwrap();
    assert!(reaches(&one, two.address().into()));
}

#[test]
fn a_silenced_port_does_not_even_refuse() {
    let lab = lab("t-silent", 2);
    let [one, two] = [lab.host(1).unwrap(), lab.host(2).unwrap()];
    let knock = format!("timeout 0.7 bash -c 'exec 3<>/dev/tcp/{}/2380'", one.address());
    let refused = two.ssh(&knock).unwrap();
    assert_eq!(refused.status.code(), Some(1), "nobody listens there");
    one.silence(2380).unwrap();
    assert_eq!(two.ssh(&knock).unwrap().status.code(), Some(124), "timeout's own code");
    assert!(greets(one.address()));
}

#[test]
fn distance_holds_between_all_and_ends_when_it_is_taken_back() {
    let lab = lab("t-far", 2);
    let [one, two] = [lab.host(1).unwrap(), lab.host(2).unwrap()];
    let operator = || {
        let began = Instant::now();
        TcpStream::connect_timeout(&(one.address(), 22).into(), Duration::from_secs(5)).unwrap();
        began.elapsed().as_millis()
    };
    let between = || {
        let clock = "date +%s%3N";
        let connect = format!("exec 3<>/dev/tcp/{}/22", two.address());
        // Twice: the first also asks for the hardware address.
        let script = format!("{connect}; a=$({clock}); {connect}; b=$({clock}); echo $((b - a))");
        text(&one.ssh(&format!("bash -c '{script}'")).unwrap()).parse::<u128>().unwrap()
    };
    lab.set_distance(RoundTrip::milliseconds(80).unwrap()).unwrap();
    operator();
    for took in [operator(), between()] {
        assert!((80..160).contains(&took), "{took} ms");
    }
    lab.set_distance(RoundTrip::NONE).unwrap();
    for took in [operator(), between()] {
        assert!(took < 40, "{took} ms");
    }
}

#[test]
fn an_inventory_pins_what_the_hosts_and_the_mirror_really_have() {
    let lab = lab("t-site", 2);
    let folder = std::env::temp_dir().join(format!("quorate-lab-site-{}", std::process::id()));
    let version = releases::TRIED[0];
    let options = SiteOptions { version, ..SiteOptions::default() };
    let file = lab.site(&folder, &options).unwrap();
    let inventory = std::fs::read_to_string(&file).unwrap();
    for host in lab.hosts().unwrap() {
        let scanned = text(&host.ssh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").unwrap());
        let pin = scanned.split(' ').nth(1).unwrap().to_owned();
        assert!(inventory.contains(&format!("ssh.host-key = \"{pin}\"")), "{inventory}");
    }
    let arch = releases::architecture().unwrap();
    let url = format!("{}/v{version}/etcd-v{version}-linux-{arch}.tar.gz", lab.mirror_url());
    let sum = text(&lab.host(1).unwrap().ssh(&format!("curl -sf {url} | sha256sum")).unwrap());
    assert!(
        inventory.contains(&format!("\"{version}-{arch}\" = \"{}\"", &sum[..64])),
        "{inventory}"
    );

    let options = SiteOptions { family: Family::V6, delivery: Delivery::Path, ..options };
    let inventory = std::fs::read_to_string(lab.site(&folder, &options).unwrap()).unwrap();
    let address = lab.host(2).unwrap().address_v6();
    assert!(inventory.contains(&format!("address = \"{address}\"")), "{inventory}");
    assert!(inventory.contains("[release]\npath = "), "{inventory}");
    std::fs::remove_dir_all(&folder).unwrap();
}
