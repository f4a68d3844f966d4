//! A writer of HTML in which forgetting to escape or to close a tag cannot be written: names of tags and attributes are
//! the program's own, every text and value goes through the escaping, and an element is closed where it was opened.

/// HTML as it is being written.
#[derive(Debug, Default)]
pub(super) struct Html {
    out: String,
    alone: bool,
}

/// Attributes: names are the program's, values are anybody's.
pub(super) type Attrs<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// The beginning of a document.
    pub(super) fn document() -> Self {
        Self {
            out: "<!doctype html>".to_owned(),
            alone: false,
        }
    }

    /// The beginning of a document that is read as a file: nothing of the web page is beside it.
    pub(super) fn alone() -> Self {
        Self {
            alone: true,
            ..Self::document()
        }
    }

    /// Whether the pages of papers can be linked to.
    pub(super) fn has_pages(&self) -> bool {
        !self.alone
    }

    /// The style sheet of a document that is read as a file.
    pub(super) fn style(&mut self, css: &'static str) {
        self.out.push_str("<style>");
        self.out.push_str(css);
        self.out.push_str("</style>");
    }

    /// An element with what `inside` writes.
    pub(super) fn el(&mut self, tag: &'static str, attrs: Attrs<'_>, inside: impl FnOnce(&mut Self)) {
        self.tag(tag, attrs);
        inside(self);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    /// An element with nothing but text.
    pub(super) fn leaf(&mut self, tag: &'static str, attrs: Attrs<'_>, text: &str) {
        self.el(tag, attrs, |h| h.text(text));
    }

    /// An element that has no end tag (HTML, “void elements”).
    pub(super) fn tag(&mut self, tag: &'static str, attrs: Attrs<'_>) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attrs {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.out);
    }

    /// A link out of the page; what is no http(s) address stays text.
    pub(super) fn link_out(&mut self, class: &str, label: &str, url: &str) {
        if is_web_address(url) {
            let attrs = [("class", class), ("href", url), ("rel", "noopener noreferrer")];
            self.leaf("a", &attrs, label);
        } else {
            self.leaf("span", &[("class", class)], label);
        }
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Whether a browser that follows `url` stays with http or https. Browsers drop white space and control characters from
/// an address before they read its scheme (URL Standard, 4.4), so an address that has any is refused.
pub(super) fn is_web_address(url: &str) -> bool {
    let scheme_ok = ["http://", "https://"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    scheme_ok && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Writes `text` so that it is text wherever it stands, between tags or in an attribute. Control characters, which HTML
/// forbids, become U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// A path of this site in which `tail` stands as its last piece; everything but what RFC 3986 allows in a path is
/// percent-encoded.
pub(super) fn path(head: &str, tail: &str) -> String {
    use std::fmt::Write as _;
    let mut out = head.to_owned();
    for byte in tail.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@/,;=!$*+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The language that a text is written in, for the `lang` attribute: Chinese when it has a Han character.
pub(super) fn lang_of(text: &str) -> &'static str {
    let han = |c| matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2ffff}');
    if text.chars().any(han) { "zh-Hans" } else { "en" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_stay_with_http_become_links() {
        for good in ["https://arxiv.org/abs/1", "HTTP://x.org"] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//x.org",
            "https:x",
            " https://x",
            "https://x\ny",
            "é",
            "",
        ] {
            assert!(!is_web_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_link_that_is_none_keeps_its_label_as_text() {
        let mut h = Html::default();
        h.link_out("x", "<b>", "javascript:alert(1)");
        assert_eq!(h.finish(), "<span class=\"x\">&lt;b&gt;</span>");
    }

    #[test]
    fn a_path_keeps_slashes_and_encodes_what_would_end_it() {
        assert_eq!(
            path("/paper/", "url:https://x.org/a?b#c%20"),
            "/paper/url:https://x.org/a%3Fb%23c%2520"
        );
    }
}
