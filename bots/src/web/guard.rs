//! What keeps other sites out of a page that needs no login. A site that somebody visits may make the browser send
//! requests here: to a name that it points at this machine (DNS rebinding), or straight to 127.0.0.1 (forged posts). The
//! first is told by its Host, the second by what browsers say of a request's origin. And whatever a paper smuggles into a
//! page, the Content Security Policy lets nothing run or load that is not the page's own.

use std::net::IpAddr;

use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Uri};

/// Set on every response.
pub(super) const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Other sites learn nothing, as with `no-referrer`; but with that, browsers also blank the Origin of the page's own
    // posts (Fetch Standard, “append a request `Origin` header”), and it is what tells them from forged ones.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// The host that a request names, without its port; empty when it names none.
pub(super) fn host(headers: &HeaderMap, uri: &Uri) -> String {
    let given = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = given
        .or_else(|| uri.authority().map(|a| a.as_str()))
        .unwrap_or_default();
    name_of(authority)
}

/// `LocalHost.:8787` → `localhost`, `[::1]:8787` → `::1`.
fn name_of(authority: &str) -> String {
    let name = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.rsplit_once(':').map_or(authority, |(name, _)| name),
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the page answers to this name: an address, which nobody can point elsewhere, the machine itself, or what the
/// configuration allows.
pub(super) fn host_allowed(name: &str, allowed: &[String]) -> bool {
    let address = name.parse::<IpAddr>().is_ok();
    let listed = || {
        allowed
            .iter()
            .any(|host| host.eq_ignore_ascii_case(name) || name_of(host) == name)
    };
    !name.is_empty() && (address || name == "localhost" || listed())
}

/// Whether a request may change anything: reading always may; else the browser must say that the page itself sent it. A
/// program that is no browser says nothing of origins, and may.
pub(super) fn origin_allowed(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD) {
        return true;
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else {
        return true;
    };
    let host = text(header::HOST).unwrap_or_default();
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// The cookie in which a browser keeps the name of who sits at it: nobody logs in, and yet everybody has one vote.
const ASKER: &str = "asker";
/// Bytes of such a name, so many that nobody guesses another's.
const ASKER_BYTES: usize = 16;

/// The name that the browser keeps.
pub(super) fn asker(headers: &HeaderMap) -> Option<String> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let name = pairs.find_map(|pair| pair.trim().strip_prefix(ASKER)?.strip_prefix('='))?;
    let ours = name.len() == 2 * ASKER_BYTES && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ours.then(|| name.to_owned())
}

/// A name that nobody has; `None` where the system gives no random bytes.
pub(super) fn new_asker() -> Option<String> {
    let mut bytes = [0; ASKER_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Has a browser keep a name for ten years.
pub(super) fn asker_cookie(name: &str) -> Option<HeaderValue> {
    let cookie = format!("{ASKER}={name}; Path=/; Max-Age=315360000; SameSite=Lax; HttpOnly");
    HeaderValue::try_from(cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_the_machines_own_names_and_listed_ones_are_answered_to() {
        let listed = ["Papers.example".to_owned(), "nas:8787".to_owned()];
        for good in [
            "localhost:8787",
            "127.0.0.1",
            "127.8.8.8:1",
            "[::1]:8787",
            "192.168.1.20:8787",
            "papers.example.:80",
            "nas",
        ] {
            assert!(host_allowed(&name_of(good), &listed), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!host_allowed(&name_of(bad), &listed), "{bad}");
        }
    }

    #[test]
    fn a_browser_is_known_by_the_name_that_it_was_given_and_by_no_other() {
        let name = new_asker().unwrap();
        let cookie = asker_cookie(&name).unwrap();
        let mut sent = HeaderMap::new();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        sent.insert(header::COOKIE, format!("lang=en; {pair}").parse().unwrap());
        assert_eq!(asker(&sent), Some(name.clone()));
        assert_ne!(new_asker(), Some(name));
        for made_up in [
            "asker=",
            "asker=ada",
            "asker=0123456789ABCDEF0123456789ABCDEF",
            "task=0",
        ] {
            assert_eq!(asker(&headers(&[("cookie", made_up)])), None, "{made_up}");
        }
    }

    #[test]
    fn a_post_must_come_from_the_page_itself() {
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[("host", "localhost:1"), ("origin", "http://localhost:1")], true),
            (&[("host", "localhost:1"), ("origin", "http://localhost:2")], false),
            (&[("host", "localhost:1"), ("origin", "null")], false),
            (&[("host", "localhost:1"), ("origin", "http://evil.example")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[], true),
        ];
        for (pairs, allowed) in cases {
            let pairs: Vec<_> = pairs.to_vec();
            assert_eq!(origin_allowed(&Method::POST, &headers(&pairs)), allowed, "{pairs:?}");
        }
        assert!(origin_allowed(
            &Method::GET,
            &headers(&[("sec-fetch-site", "cross-site")])
        ));
    }
}
