//! Fetches what strangers serve. Whatever a server does, a request ends: after 20 s, after 32 MB as they are once
//! decompressed, after five redirects; and it never reaches into the network that the program runs in, unless the operator
//! himself named an address there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use paperwire_core::source::affiliation::grobid::Upload;
use paperwire_core::source::request::{Body, Fetched, Request};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a request may take, redirects and body included.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The largest body, in bytes after decompression.
pub const LARGEST: usize = 32 << 20;
/// The most redirects that are followed.
const REDIRECTS: usize = 5;
/// Between two requests to arXiv, whatever for, and one at a time (arXiv API Terms of Use: “no more than one request every
/// three seconds, and limit requests to a single connection at a time”, for all its interfaces together).
const ARXIV_PACE: Duration = Duration::from_secs(3);

/// The client for what strangers serve.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// For addresses that the operator named.
    open: Client,
    /// For all others: it knows no private address.
    guarded: Client,
    arxiv: Arc<Mutex<Option<Instant>>>,
    patience: Duration,
    largest: usize,
}

impl Fetcher {
    /// A client of its own.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> reqwest::Result<Self> {
        let builder = || {
            Client::builder()
                .user_agent(concat!("paperwire/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(Duration::from_secs(5))
                // Each hop is looked at before it is followed.
                .redirect(reqwest::redirect::Policy::none())
        };
        Ok(Self {
            open: builder().build()?,
            // A proxy would resolve names itself.
            guarded: builder().no_proxy().dns_resolver(Arc::new(Public)).build()?,
            arxiv: Arc::default(),
            patience: PATIENCE,
            largest: LARGEST,
        })
    }

    /// Fetches what a source wants, from an address that the operator named. What that redirects to is not named by the
    /// operator any more.
    pub async fn fetch(&self, request: &Request) -> Fetched {
        let url = match Url::parse(&request.url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => url,
            Ok(_) | Err(_) => {
                return failed(
                    "this is no address that can be fetched; write http:// or https://",
                    false,
                );
            }
        };
        let at = shown(&url);
        // Waiting for others is nothing that the server does.
        let turn = self.turn(&url).await;
        let fetched = tokio::time::timeout(self.patience, self.follow(url, request)).await;
        drop(turn);
        match fetched {
            Ok(fetched) => fetched,
            Err(_) => {
                let seconds = self.patience.as_secs();
                failed(format!("{at} did not answer in full within {seconds} s"), true)
            }
        }
    }

    /// Sends a PDF to a server that the operator named, as it wants it (`multipart/form-data`). GROBID needs longer than the
    /// servers that only read from a disk.
    pub async fn upload(&self, upload: &Upload, pdf: Vec<u8>) -> Fetched {
        let Ok(url) = Url::parse(&upload.url) else {
            return failed(
                "this is no address that can be fetched; write http:// or https://",
                false,
            );
        };
        let mut form = Form::new().part(upload.part, Part::bytes(pdf).file_name("paper.pdf"));
        for (name, value) in &upload.fields {
            form = form.text(*name, *value);
        }
        let asked = self
            .open
            .post(url.clone())
            .header(ACCEPT, upload.accept)
            .multipart(form);
        let answer = async {
            match asked.send().await {
                Ok(response) => self.read(response, &url, None).await,
                Err(error) => failed(format!("{}: {}", shown(&url), why(error)), true),
            }
        };
        let patience = 3 * self.patience;
        match tokio::time::timeout(patience, answer).await {
            Ok(fetched) => fetched,
            Err(_) => failed(
                format!("{} did not answer within {} s", shown(&url), patience.as_secs()),
                true,
            ),
        }
    }

    async fn follow(&self, start: Url, request: &Request) -> Fetched {
        let mut url = start.clone();
        let mut permanently = true;
        for hop in 0..=REDIRECTS {
            let named = url.host() == start.host() && url.port_or_known_default() == start.port_or_known_default();
            let client = if named {
                &self.open
            } else {
                if let Some(reason) = closed(&url) {
                    return failed(format!("{} leads to {}, {reason}", shown(&start), shown(&url)), false);
                }
                &self.guarded
            };
            let mut asked = client.get(url.clone());
            for (name, value) in [
                (IF_NONE_MATCH, &request.etag),
                (IF_MODIFIED_SINCE, &request.last_modified),
            ] {
                if let Some(value) = value {
                    asked = asked.header(name, value);
                }
            }
            let response = match asked.send().await {
                Ok(response) => response,
                Err(error) => return failed(format!("{}: {}", shown(&url), why(error)), true),
            };
            let status = response.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                permanently &= matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
                let target = header(response.headers(), &LOCATION).and_then(|to| url.join(&to).ok());
                match target.filter(|to| matches!(to.scheme(), "http" | "https")) {
                    Some(target) => url = target,
                    None => return failed(format!("{} redirects ({status}) to no address", shown(&url)), true),
                }
                continue;
            }
            let moved = (hop > 0 && permanently).then(|| url.to_string());
            return self.read(response, &url, moved).await;
        }
        failed(
            format!(
                "{} redirects more than {REDIRECTS} times; give the address where it ends",
                shown(&start)
            ),
            false,
        )
    }

    /// Waits for arXiv's turn, where it is arXiv; what is returned keeps others waiting until it is dropped.
    async fn turn(&self, url: &Url) -> Option<tokio::sync::MutexGuard<'_, Option<Instant>>> {
        let host = url.host_str()?;
        if host != "arxiv.org" && !host.ends_with(".arxiv.org") {
            return None;
        }
        let mut last = self.arxiv.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + ARXIV_PACE).await;
        }
        *last = Some(Instant::now());
        Some(last)
    }

    async fn read(&self, response: Response, url: &Url, moved_to: Option<String>) -> Fetched {
        let status = response.status();
        let at = shown(url);
        match status {
            StatusCode::NOT_MODIFIED => return Fetched::Unchanged,
            StatusCode::GONE => return Fetched::Gone,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let said = header(response.headers(), &RETRY_AFTER);
                let retry_after = said.and_then(|said| retry_after(&said, crate::clock::now()));
                return Fetched::Later { retry_after };
            }
            status if !status.is_success() => {
                let transient = status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT;
                return failed(format!("{at} answers {status}"), transient);
            }
            _ => {}
        }
        let too_large = || {
            let most = self.largest >> 20;
            failed(format!("{at} sends more than {most} MB"), false)
        };
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |announced| announced > self.largest) {
            return too_large();
        }
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) if bytes.len() + chunk.len() > self.largest => return too_large(),
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(error) => return failed(format!("{at} breaks off: {}", why(error)), true),
            }
        }
        Fetched::Body(Body {
            bytes,
            content_type: header(&headers, &CONTENT_TYPE),
            etag: header(&headers, &ETAG),
            last_modified: header(&headers, &LAST_MODIFIED),
            moved_to,
        })
    }
}

fn failed(reason: impl Into<String>, transient: bool) -> Fetched {
    Fetched::Failed {
        reason: reason.into(),
        transient,
    }
}

fn header(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// An address without what may be a key.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// What went wrong, without the address, which may hold a key, and down to the cause.
fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Seconds, or an HTTP date (RFC 9110 §10.2.3); at most a day.
pub(crate) fn retry_after(said: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = match said.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(said.trim()).ok()?.to_utc();
            (until - now).max(TimeDelta::zero()).to_std().ok()?
        }
    };
    Some(wait.min(Duration::from_secs(86_400)))
}

/// Why an address that a stranger gave is not opened, if it names a private one outright.
fn closed(url: &Url) -> Option<&'static str> {
    let ip = match url.host()? {
        url::Host::Ipv4(ip) => IpAddr::V4(ip),
        url::Host::Ipv6(ip) => IpAddr::V6(ip),
        url::Host::Domain(_) => return None,
    };
    (!is_public(ip)).then_some("a private address; the operator can name it in the configuration")
}

/// Resolves names to public addresses alone.
#[derive(Debug)]
struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("its name leads to a private address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet (IANA special-purpose address registries).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, IETF protocols, 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Global unicast is 2000::/3; of that, Teredo, ORCHID and benchmarks (2001::/23), documentation, and 6to4, which holds an
/// IPv4 address, are not. Mapped and NAT64 addresses are outside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    (0x2000..0x4000).contains(&a)
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::Router;
    use axum::body::Body as Answer;
    use axum::http::{HeaderMap as Headers, Response as Reply};
    use axum::routing::get;

    use super::*;

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Answer>) -> Reply<Answer> {
        let mut reply = Reply::builder().status(status);
        for (name, value) in headers {
            reply = reply.header(*name, *value);
        }
        reply.body(body.into()).unwrap()
    }

    fn reason(fetched: Fetched) -> String {
        let Fetched::Failed { reason, .. } = fetched else {
            panic!("{fetched:?}")
        };
        reason
    }

    #[tokio::test]
    async fn what_is_known_is_not_sent_again_and_what_is_said_about_it_is_kept() {
        let feed = |headers: Headers| async move {
            match headers.get("if-none-match").and_then(|tag| tag.to_str().ok()) {
                Some("\"1\"") => reply(304, &[], ""),
                _ => reply(
                    200,
                    &[("etag", "\"1\""), ("content-type", "text/xml; charset=gbk")],
                    "feed",
                ),
            }
        };
        let base = serve(Router::new().route("/feed", get(feed))).await;
        let fetcher = Fetcher::new().unwrap();
        let mut request = Request::get(format!("{base}/feed"));
        let Fetched::Body(body) = fetcher.fetch(&request).await else {
            panic!()
        };
        assert_eq!((body.bytes.as_slice(), body.moved_to), (&b"feed"[..], None));
        assert_eq!(body.content_type.as_deref(), Some("text/xml; charset=gbk"));
        request.etag = body.etag;
        assert_eq!(fetcher.fetch(&request).await, Fetched::Unchanged);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_or_does_not_end_is_cut_short_also_when_it_is_a_bomb() {
        let bomb = || async {
            let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            zipped.write_all(&vec![b' '; 4 << 20]).unwrap();
            reply(200, &[("content-encoding", "gzip")], zipped.finish().unwrap())
        };
        let endless = || async {
            let drip = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]));
            reply(200, &[], Answer::from_stream(drip))
        };
        let slow = || async {
            let never = futures::stream::pending::<std::io::Result<Vec<u8>>>();
            reply(200, &[], Answer::from_stream(never))
        };
        let router = Router::new()
            .route("/bomb", get(bomb))
            .route("/endless", get(endless))
            .route("/slow", get(slow));
        let base = serve(router).await;
        let fetcher = Fetcher {
            largest: 1 << 20,
            ..Fetcher::new().unwrap()
        };
        for path in ["/bomb", "/endless"] {
            let reason = reason(fetcher.fetch(&Request::get(format!("{base}{path}"))).await);
            assert!(reason.ends_with("sends more than 1 MB"), "{reason}");
        }
        let fetcher = Fetcher {
            patience: Duration::from_millis(300),
            ..fetcher
        };
        let reason = reason(fetcher.fetch(&Request::get(format!("{base}/slow?key=hush"))).await);
        assert!(
            reason.contains("did not answer in full") && !reason.contains("hush"),
            "{reason}"
        );
    }

    #[tokio::test]
    async fn redirects_are_followed_five_times_and_only_permanent_ones_change_the_address() {
        let hop = |axum::extract::Path((status, left)): axum::extract::Path<(u16, u32)>| async move {
            match left {
                0 => reply(200, &[], "end"),
                _ => reply(status, &[("location", &format!("/{status}/{}", left - 1))], ""),
            }
        };
        let base = serve(Router::new().route("/{status}/{left}", get(hop))).await;
        let fetcher = Fetcher::new().unwrap();
        let moved = async |path: &str| {
            let fetched = fetcher.fetch(&Request::get(format!("{base}{path}"))).await;
            let Fetched::Body(body) = fetched else {
                panic!("{path}: {fetched:?}")
            };
            body.moved_to
        };
        assert_eq!(moved("/301/0").await, None);
        assert_eq!(moved("/302/1").await, None);
        assert_eq!(moved("/308/5").await, Some(format!("{base}/308/0")));
        let reason = reason(fetcher.fetch(&Request::get(format!("{base}/301/6"))).await);
        assert!(reason.contains("more than 5 times"), "{reason}");
    }

    #[tokio::test]
    async fn a_redirect_does_not_lead_into_the_network_that_the_program_runs_in() {
        let target = serve(Router::new().route("/", get(|| async { "secret" }))).await;
        let port = target.rsplit_once(':').unwrap().1.to_owned();
        let routes = ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost"];
        let mut router = Router::new();
        for (at, host) in routes.into_iter().enumerate() {
            let location = format!("http://{host}:{port}/");
            let to = move || async move { reply(302, &[("location", &location)], "") };
            router = router.route(&format!("/{at}"), get(to));
        }
        let base = serve(router).await;
        let fetcher = Fetcher::new().unwrap();
        for (at, host) in routes.into_iter().enumerate() {
            let reason = reason(fetcher.fetch(&Request::get(format!("{base}/{at}"))).await);
            assert!(reason.contains("private address"), "{host}: {reason}");
        }
        // What the operator names may be anywhere.
        assert!(matches!(fetcher.fetch(&Request::get(target)).await, Fetched::Body(_)));
    }

    #[tokio::test]
    async fn what_a_server_says_of_itself_decides_whether_to_ask_again() {
        let router = Router::new()
            .route("/later", get(|| async { reply(503, &[("retry-after", "7")], "") }))
            .route("/gone", get(|| async { reply(410, &[], "") }))
            .route("/broken", get(|| async { reply(502, &[], "<html>") }))
            .route("/refused", get(|| async { reply(403, &[], "") }));
        let base = serve(router).await;
        let fetcher = Fetcher::new().unwrap();
        let ask = async |path: &str| fetcher.fetch(&Request::get(format!("{base}{path}"))).await;
        let later = Some(Duration::from_secs(7));
        assert_eq!(ask("/later").await, Fetched::Later { retry_after: later });
        assert_eq!(ask("/gone").await, Fetched::Gone);
        for (path, again) in [("/broken", true), ("/refused", false)] {
            assert!(
                matches!(ask(path).await, Fetched::Failed { transient, .. } if transient == again),
                "{path}"
            );
        }
        assert!(matches!(
            fetcher.fetch(&Request::get("http://127.0.0.1:1/")).await,
            Fetched::Failed { transient: true, .. }
        ));
        assert!(reason(fetcher.fetch(&Request::get("file:///etc/passwd")).await).contains("https://"));
    }

    #[test]
    fn a_wait_is_given_in_seconds_or_as_a_date() {
        let now = "2025-10-09T12:00:00Z".parse().unwrap();
        let wait = |said| retry_after(said, now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Thu, 09 Oct 2025 12:01:00 GMT"), Some(60));
        assert_eq!(wait("Thu, 09 Oct 2025 11:00:00 GMT"), Some(0));
        assert_eq!(wait("99999999"), Some(86_400));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn public_is_what_the_registries_call_global() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "fc00::1",
            "fe80::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "8.8.8.8",
            "100.128.0.1",
            "151.101.3.42",
            "2606:4700::1111",
            "2a04:4e42::131",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
