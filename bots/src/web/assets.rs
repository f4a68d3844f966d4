//! The page's style and script, in the binary: no other server is ever asked. Their address has a hash of their content,
//! so that browsers may keep them for ever and a new version is fetched at once.

use std::sync::LazyLock;

use paperwire_core::text::content_hash;

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// `/assets/app.1f0c9a2b.css`
    pub path: String,
    pub mime: &'static str,
    pub body: &'static str,
}

fn asset(extension: &str, mime: &'static str, body: &'static str) -> Asset {
    let hash = content_hash(body.as_bytes());
    let short = hash.get(..12).unwrap_or_default();
    Asset {
        path: format!("/assets/app.{short}.{extension}"),
        mime,
        body,
    }
}

/// The style sheet.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| asset("css", "text/css; charset=utf-8", include_str!("assets/app.css")));

/// The script; the page can be read and asked without it.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| asset("js", "text/javascript; charset=utf-8", include_str!("assets/app.js")));

/// The asset at this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT].into_iter().find(|asset| asset.path == path)
}
