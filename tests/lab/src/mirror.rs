//! The mirror: release archives over HTTP, from the operator's address, as on a site without a way
//! to the internet.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tiny_http::{Method, Request, Response, Server};

use crate::cache;
use crate::error::LabError;
use crate::ledger::Ledger;
use crate::name::LabName;
use crate::service::{self, Service};

/// The port on the operator's addresses.
pub const PORT: u16 = 8077;

/// How many downloads are served at once, an address.
const WORKERS: usize = 8;

/// The folder that is served.
pub fn folder() -> PathBuf {
    cache::root().join("releases")
}

/// Starts a lab's mirror unless it runs, on each of the operator's addresses.
pub(crate) fn ensure(lab: &LabName, addresses: &[IpAddr], ledger: &Ledger) -> Result<(), LabError> {
    cache::ensure_folder(&folder())?;
    let sockets: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
    let args = ["serve-mirror".to_owned(), folder().display().to_string()];
    let command = service::own(args.into_iter().chain(sockets.iter().map(SocketAddr::to_string)))?;
    let group = lab.thing("mirror");
    let service = Service { name: "mirror", group: &group, namespace: None, command };
    service::ensure(service, ledger, || service::listen(&sockets))
}

/// Serves a folder on these addresses until the process ends.
pub fn serve(folder: &Path, addresses: &[SocketAddr]) -> Result<(), LabError> {
    let mut workers = Vec::new();
    for address in addresses {
        let server = Server::http(address).map_err(|error| {
            LabError::file("listen on", Path::new(&address.to_string()))(io::Error::other(error))
        })?;
        let server = Arc::new(server);
        for _ in 0..WORKERS {
            let (server, folder) = (Arc::clone(&server), folder.to_owned());
            workers.push(thread::spawn(move || {
                for request in server.incoming_requests() {
                    // A client that hangs up in the middle is its own business.
                    let _ = answer(&folder, request);
                }
            }));
        }
    }
    for worker in workers {
        let _ = worker.join();
    }
    Ok(())
}

fn answer(folder: &Path, request: Request) -> io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(Response::empty(405));
    }
    let file = inside(folder, request.url()).map(File::open);
    match file {
        // Without chunks the answer says how long it is, so that a broken download is noticed.
        Some(Ok(file)) if file.metadata()?.is_file() => {
            request.respond(Response::from_file(file).with_chunked_threshold(usize::MAX))
        }
        _ => request.respond(Response::empty(404)),
    }
}

/// The file that a URL's path names, if it stays inside the folder.
fn inside(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let relative = Path::new(path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !path.is_empty()).then(|| folder.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_never_leads_out_of_the_folder() {
        let folder = Path::new("/srv");
        assert_eq!(inside(folder, "/a/b.tar.gz?x=1"), Some("/srv/a/b.tar.gz".into()));
        for bad in ["/", "", "//etc/passwd", "/../etc/passwd", "/a/../../b", "http://x/a"] {
            assert_eq!(inside(folder, bad), None, "{bad}");
        }
    }
}
