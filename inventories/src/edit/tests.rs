use super::*;

const PIN: &str = "SHA256:uNiVztksCsDhcc0u9e8BrXJXvS6mCJbxLJPSKBmuNzQ";
const OTHER: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

const VERSION: EtcdVersion = EtcdVersion::new(crate::Minor::V3_6, 16);

fn pinned(text: &str, pins: &[&str]) -> Result<String, EditError> {
    let pins: Vec<_> = pins.iter().map(|pin| HostKeyPin::new(pin).unwrap()).collect();
    set_host_key_pins(text, &HostName::new("a").unwrap(), &pins)
}

#[test]
fn a_pin_is_added_where_the_host_is_declared() {
    let text = "# top\n[hosts.a] # first\naddress = \"10.0.0.1\" # client\n\n# next\n[hosts.b]\n";
    let expected = format!(
        "# top\n[hosts.a] # first\naddress = \"10.0.0.1\" # client\nssh.host-key = \"{PIN}\"\n\n# next\n[hosts.b]\n"
    );
    assert_eq!(pinned(text, &[PIN]), Ok(expected));
}

#[test]
fn a_pin_is_replaced_and_its_comment_stays() {
    let text = "[hosts.a.ssh]\nuser = \"ops\"\nhost-key = \"old\" # seen by Ann\nport = 22\n";
    let expected =
        format!("[hosts.a.ssh]\nuser = \"ops\"\nhost-key = \"{PIN}\" # seen by Ann\nport = 22\n");
    assert_eq!(pinned(text, &[PIN]), Ok(expected));
}

#[test]
fn every_way_to_write_a_host_takes_pins() {
    for text in [
        "[hosts.a]\nssh.user = \"ops\"\n",
        "[hosts.a]\nssh = { user = \"ops\" }\n",
        "[hosts]\na = { address = \"10.0.0.1\" }\n",
        "hosts.a.address = \"10.0.0.1\"\n",
    ] {
        let edited = pinned(text, &[PIN, OTHER]).unwrap();
        let table: toml::Table = edited.parse().unwrap();
        let pins = table["hosts"]["a"]["ssh"]["host-key"].as_array().unwrap();
        assert_eq!(pins[1].as_str(), Some(OTHER), "{edited}");
        let added: toml::Table = text.parse().unwrap();
        assert_eq!(table["hosts"]["a"].get("address"), added["hosts"]["a"].get("address"));
    }
}

#[test]
fn a_checksum_is_added_and_replaced() {
    let first =
        set_release_sha256("[site]\nname = \"prod\" # ours\n", VERSION, Arch::Amd64, "aa").unwrap();
    assert_eq!(
        first,
        "[site]\nname = \"prod\" # ours\n\n[release.sha256]\n\"3.6.16-amd64\" = \"aa\"\n"
    );
    let second = set_release_sha256(&first, VERSION, Arch::Arm64, "bb").unwrap();
    let third = set_release_sha256(&second, VERSION, Arch::Amd64, "cc").unwrap();
    assert_eq!(third, second.replace("aa", "cc"));
}

#[test]
fn a_text_that_cannot_be_edited_is_refused() {
    assert_eq!(
        pinned("[hosts.b]\n", &[PIN]),
        Err(EditError::UnknownHost(HostName::new("a").unwrap()))
    );
    assert_eq!(pinned("[hosts", &[PIN]), Err(EditError::Syntax));
    assert_eq!(pinned("hosts = 1", &[PIN]), Err(EditError::NotATable("hosts".to_owned())));
    let deep = format!("{}a = 1", "a.".repeat(400_000));
    assert_eq!(set_release_sha256(&deep, VERSION, Arch::Amd64, "aa"), Err(EditError::Syntax));
    assert!(matches!(
        set_release_sha256("release = 1", VERSION, Arch::S390x, "aa"),
        Err(EditError::NotATable(_))
    ));
}
