//! The running process serves the command line over a Unix socket in its data folder: one request and one response,
//! each a line of JSON. Only the folder's owner may connect.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::{LARGEST_FILE, Request, Response, Service};

/// The longest request, in bytes: the largest file that is taken in, in base64, and a little more.
const LONGEST: u64 = (LARGEST_FILE / 3 + 1) * 4 + (64 << 10);
/// How long a command line may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);

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
                let (service, stop) = (service.clone(), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &service, &stop).await {
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

pub(crate) async fn converse(stream: UnixStream, service: &Service, stop: &CancellationToken) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LONGEST));
    // A connection that says nothing must not keep the program from ending.
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        read = tokio::time::timeout(PATIENCE, read.read_line(&mut line)) => read.map_err(io::Error::from)??,
    };
    let response = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            // Who goes away while others are waited for does not want it any more.
            let wanted = stop.child_token();
            let service = service.clone().until(wanted.clone());
            let mut answer = pin!(service.handle(request));
            tokio::select! {
                biased;
                answer = &mut answer => answer,
                _ = read.read_u8() => {
                    wanted.cancel();
                    answer.await
                }
            }
        }
        Err(error) => Response::Failed(format!(
            "the running Paperwire does not understand this request ({error}); are both of the same version?"
        )),
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    write.shutdown().await
}

/// How long a command line waits for an answer at most: a digest that is asked for waits for a model as long as the
/// configuration allows, which is an hour at most, and then there is work to do.
const LONGEST_ANSWER: Duration = Duration::from_secs(2 * 3_600);

/// What the command line says when the other side went away.
const GONE: &str = "the running Paperwire ended before it answered; what it did of this request is not known";

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
    if u64::try_from(line.len()).is_ok_and(|length| length > LONGEST) {
        bail!(
            "the request is too large; files of at most {} MB are taken in",
            LARGEST_FILE >> 20
        );
    }
    write.write_all(&line).await.context(GONE)?;
    let mut answer = String::new();
    let mut read = BufReader::new(read);
    let length = tokio::time::timeout(LONGEST_ANSWER, read.read_line(&mut answer))
        .await
        .context("the running Paperwire gives no answer; what it does of this request is not known")?
        .context(GONE)?;
    if length == 0 {
        bail!(GONE);
    }
    serde_json::from_str(&answer).context("the running Paperwire answered in a way that this version does not know")
}
