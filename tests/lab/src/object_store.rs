//! An S3 server on the operator's IPv4 address, over TLS: versitygw, which checks signatures, knows conditional
//! writes, versions and object lock, and keeps buckets as folders.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::cache;
use crate::cgroup::Cgroup;
use crate::error::LabError;
use crate::go::Module;
use crate::ledger::Ledger;
use crate::name::LabName;
use crate::options::{Note, Tell};
use crate::releases;
use crate::service::{self, Service};
use crate::tool;

const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "1.8.0";
const PORT: u16 = 7070;

/// Key and secret of an account that may do everything. Nothing in a lab needs a secret.
pub const ROOT: (&str, &str) = ("AKLABROOT", "lab-object-store-root-secret");
/// Key and secret of an account that may write, read and list in a bucket of [`ObjectStore::let_writer_in`], and delete nothing.
pub const WRITER: (&str, &str) = ("AKLABWRITER", "lab-object-store-writer-secret");

/// An S3 server of a lab.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    lab: LabName,
    address: Ipv4Addr,
    ledger: Ledger,
    program: PathBuf,
}

impl ObjectStore {
    /// Starts a server without buckets. One that runs already goes, with what it had.
    pub(crate) fn begin(
        lab: &LabName,
        address: Ipv4Addr,
        ledger: Ledger,
        tell: Tell,
    ) -> Result<Self, LabError> {
        let this = Self { lab: lab.clone(), address, ledger, program: ensure(tell)? };
        this.stop()?;
        let folder = this.folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(LabError::file("remove", &folder))?;
        }
        for part in ["root", "versions", "accounts"] {
            cache::ensure_folder(&folder.join(part))?;
        }
        this.make_certificates()?;
        this.start()?;
        let account = ["create-user", "-a", WRITER.0, "-s", WRITER.1, "-r", "user"];
        tool::finish(this.admin().args(account))?;
        Ok(this)
    }

    /// Its URL, without a slash at the end.
    pub fn endpoint(&self) -> String {
        format!("https://{}:{PORT}", self.address)
    }

    /// The CA that its certificate is from.
    pub fn ca(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// Starts it, with the buckets that it had when it was stopped.
    pub fn start(&self) -> Result<(), LabError> {
        let folder = self.folder();
        let path = |name: &str| folder.join(name).into_os_string();
        let socket = SocketAddr::from((self.address, PORT));
        let mut command = vec![
            OsString::from("env"),
            format!("ROOT_ACCESS_KEY={}", ROOT.0).into(),
            format!("ROOT_SECRET_KEY={}", ROOT.1).into(),
            self.program.clone().into(),
        ];
        // It changes its folder before it reads them, so every path is absolute.
        let options = [
            ("--port", socket.to_string().into()),
            ("--cert", path("server.pem")),
            ("--key", path("server.key")),
            ("--iam-dir", path("accounts")),
        ];
        command.extend(options.into_iter().flat_map(|(name, value)| [name.into(), value]));
        command.extend(["posix".into(), "--versioning-dir".into(), path("versions"), path("root")]);
        let name = "object-store";
        let group = self.lab.thing(name);
        let service = Service { name, group: &group, namespace: None, command };
        service::ensure(service, &self.ledger, || service::listen(&[socket]))
    }

    /// Ends it as a crash does: nobody answers at its port.
    pub fn stop(&self) -> Result<(), LabError> {
        Cgroup::named(&self.lab.thing("object-store"))?.kill(Duration::from_secs(5))
    }

    /// Makes a bucket.
    pub fn add_bucket(&self, name: &str) -> Result<(), LabError> {
        self.ask("PUT", name, &[], "").map(drop)
    }

    /// Makes a bucket that keeps every version of every object for a day, even if it is deleted.
    pub fn add_locked_bucket(&self, name: &str) -> Result<(), LabError> {
        self.ask("PUT", name, &["x-amz-bucket-object-lock-enabled: true"], "")?;
        let rule = "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode>\
            <Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        self.ask("PUT", &format!("{name}?object-lock="), &[], rule).map(drop)
    }

    /// Allows [`WRITER`] to write, read and list in a bucket.
    pub fn let_writer_in(&self, bucket: &str) -> Result<(), LabError> {
        let allow = |actions: &str, resource: &str| {
            format!(
                "{{\"Effect\":\"Allow\",\"Principal\":\"{}\",\"Action\":[{actions}],\"Resource\":\"arn:aws:s3:::{resource}\"}}",
                WRITER.0
            )
        };
        let objects = "\"s3:PutObject\",\"s3:GetObject\",\"s3:AbortMultipartUpload\"";
        let policy = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{},{}]}}",
            allow(objects, &format!("{bucket}/*")),
            allow("\"s3:ListBucket\"", bucket)
        );
        self.ask("PUT", &format!("{bucket}?policy="), &[], &policy).map(drop)
    }

    /// Asks it as [`ROOT`], and returns the body of its answer. `what` is a bucket, an object and a query.
    pub fn ask(
        &self,
        method: &str,
        what: &str,
        headers: &[&str],
        body: &str,
    ) -> Result<String, LabError> {
        let mut command = Command::new("curl");
        command.args(["-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3"]);
        command.arg("--cacert").arg(self.ca()).args(["--user", &format!("{}:{}", ROOT.0, ROOT.1)]);
        command.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-X", method]);
        if !body.is_empty() {
            let file = self.folder().join("body");
            fs::write(&file, body).map_err(LabError::file("write", &file))?;
            let path = file.display().to_string();
            let sum = tool::run("sh", ["-c", "openssl md5 -binary \"$1\" | base64", "sh", &path])?;
            command.args(["-H", &format!("content-md5: {}", sum.trim())]);
            command.args(["--data-binary", &format!("@{path}")]);
        }
        for header in headers {
            command.args(["-H", header]);
        }
        tool::finish(command.arg(format!("{}/{what}", self.endpoint())))
    }

    /// The server's own tool for accounts. The CA is not one that this machine trusts.
    fn admin(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["admin", "--allow-insecure", "--endpoint-url", &self.endpoint()]);
        command.args(["--access", ROOT.0, "--secret", ROOT.1]);
        command
    }

    /// Makes a CA and a certificate of its own.
    fn make_certificates(&self) -> Result<(), LabError> {
        let name = format!("subjectAltName=IP:{}", self.address);
        let key =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let ca = ["-subj", "/CN=object store CA", "-keyout", "ca.key", "-out", "ca.pem"];
        let server = ["-subj", "/CN=object store", "-keyout", "server.key", "-out", "server.pem"];
        let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", &name];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        for options in [ca.to_vec(), [&server[..], &signed, &leaf].concat()] {
            let mut openssl = Command::new("openssl");
            openssl.args(key).args(options).current_dir(self.folder());
            tool::finish(&mut openssl)?;
        }
        Ok(())
    }

    /// What it keeps, in the folder of the lab's state, which goes with the lab.
    fn folder(&self) -> PathBuf {
        self.ledger.folder().join("object-store")
    }
}

/// Builds the server unless it is there, and returns the program's path.
pub fn ensure(tell: Tell) -> Result<PathBuf, LabError> {
    let arch = releases::architecture()?;
    let target = cache::root().join("binaries").join(format!("versitygw-v{VERSION}-{arch}"));
    cache::ensure_fetched(&target, |partial| {
        tell(&Note::BuildingObjectStore);
        let module = Module::make(partial.join("module"))?;
        module.go(["get", &format!("{MODULE}@v{VERSION}")])?;
        module.build(MODULE, "", &partial.join("versitygw"))?;
        module.discard()
    })?;
    Ok(target.join("versitygw"))
}
