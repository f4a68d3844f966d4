//! The running process serves the command line over a Unix socket in its data folder: one request and one response,
//! each a line of JSON. Only the folder's owner may connect.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::{Request, Response, Service};

/// The longest request: a mailing of 60 MB in base64.
const LONGEST: u64 = 80 << 20;

/// Listens at `socket`, readable by its owner only.
///
/// # Errors
/// When the system refuses the address.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves requests until `stop`; those under way are answered first.
pub async fn serve(listener: UnixListener, service: Service, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = service.clone();
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &service).await {
                        tracing::debug!(%error, "a command line went away before its answer");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket does not accept; trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn converse(stream: UnixStream, service: &Service) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    let response = match serde_json::from_str::<Request>(&line) {
        Ok(request) => service.handle(request).await,
        Err(error) => Response::Failed(format!(
            "the running Paperwire does not understand this request ({error}); are both of the same version?"
        )),
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    write.shutdown().await
}

/// Asks the process that listens at `socket`.
///
/// # Errors
/// When nobody listens there, or the answer cannot be read.
pub async fn ask(socket: &Path, request: &Request) -> anyhow::Result<Response> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("nobody listens at {}", socket.display()))?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(read).read_line(&mut answer).await?;
    serde_json::from_str(&answer).context("the running Paperwire answered in a way that this version does not know")
}
