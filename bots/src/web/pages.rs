//! The pages: what was read becomes HTML. Pure, so that a page can be looked at without a server or a store.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use paperwire_core::brief::{self, Brief, Origin};
use paperwire_core::command::{Answer, Manner, TABLE};
use paperwire_core::digest::{DigestId, Entry};
use paperwire_core::locale::Lang;
use paperwire_core::message::{Amendment, Message};
use paperwire_core::pipeline::Held;
use paperwire_core::subscription::Subjects;

use super::assets::{SCRIPT, STYLE};
use super::html::{Html, lang_of, path};
use super::read::{ArchiveView, ChannelView, DigestLine, DigestView, PaperView, PostView, Silence, brief_for};
use super::{TopicName, markup, words};

/// A folded sheet with a headline: the page's icon, without a request.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' \
                    height='32' rx='6' fill='%238c2f1f'/%3E%3Cpath d='M8 9h16M8 15h16M8 20h10M8 25h10' stroke='%23fff' \
                    stroke-width='2.5'/%3E%3C/svg%3E";

/// What every page shares.
pub(super) struct Frame<'a> {
    pub site: &'a str,
    pub version: &'a str,
    pub lang: Lang,
    /// Where this page is, for the links that change its language.
    pub here: String,
    pub topics: &'a [TopicName],
    /// The zone for dates that belong to no channel.
    pub zone: Tz,
}

/// A question and its answer.
pub(super) struct Asked<'a> {
    /// What was typed; nothing when a button was pressed.
    pub question: Option<&'a str>,
    pub answer: &'a Answer,
    /// The channel's address.
    pub base: &'a str,
}

impl Frame<'_> {
    fn page(&self, title: &str, main: impl FnOnce(&mut Html)) -> String {
        let lang = self.lang;
        let mut h = Html::document();
        h.el("html", &[("lang", code(lang))], |h| {
            h.el("head", &[], |h| {
                h.tag("meta", &[("charset", "utf-8")]);
                h.tag(
                    "meta",
                    &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
                );
                h.tag("meta", &[("name", "color-scheme"), ("content", "light dark")]);
                h.leaf("title", &[], &format!("{title} · {}", self.site));
                h.tag("link", &[("rel", "icon"), ("href", ICON)]);
                h.tag("link", &[("rel", "stylesheet"), ("href", &STYLE.path)]);
                h.leaf("script", &[("src", &SCRIPT.path), ("defer", "")], "");
            });
            h.el("body", &[], |h| {
                h.leaf("a", &[("class", "skip"), ("href", "#main")], words::skip(lang));
                self.masthead(h);
                h.el("main", &[("id", "main")], main);
                h.el("footer", &[("class", "colophon")], |h| {
                    h.leaf("span", &[], &format!("Paperwire {}", self.version));
                });
            });
        });
        h.finish()
    }

    fn masthead(&self, h: &mut Html) {
        let lang = self.lang;
        h.el("header", &[("class", "masthead")], |h| {
            h.el("p", &[("class", "wordmark")], |h| {
                h.leaf("a", &[("href", "/")], self.site);
                h.leaf("span", &[("class", "tagline")], words::tagline(lang));
            });
            h.el("nav", &[("aria-label", words::navigation(lang))], |h| {
                nav_link(h, "/", words::channels(lang), self.here.starts_with("/c/"));
                nav_link(h, "/archive", words::archive(lang), self.here.starts_with("/archive"));
                h.el("span", &[("class", "languages")], |h| {
                    for each in Lang::ALL {
                        let joint = if self.here.contains('?') { '&' } else { '?' };
                        let href = format!("{}{joint}lang={each}", self.here);
                        let mut attrs = vec![("href", href.as_str()), ("lang", code(each)), ("hreflang", code(each))];
                        if each == lang {
                            attrs.push(("aria-current", "true"));
                        }
                        h.leaf("a", &attrs, each.pick("中文", "English"));
                    }
                });
            });
        });
    }

    /// A page that says what went wrong and what to do.
    pub(super) fn notice(&self, title: &str, what_to_do: &str) -> String {
        self.page(title, |h| {
            h.el("section", &[("class", "notice")], |h| {
                h.leaf("h1", &[], title);
                h.leaf("p", &[], what_to_do);
                h.el("p", &[("class", "actions")], |h| {
                    h.leaf("a", &[("href", "/")], words::home(self.lang));
                    h.leaf("a", &[("href", "/archive")], words::archive(self.lang));
                });
            });
        })
    }

    /// The list of channels.
    pub(super) fn channels(&self, names: &[String]) -> String {
        let lang = self.lang;
        self.page(words::channels(lang), |h| {
            h.leaf("h1", &[], words::channels(lang));
            if names.is_empty() {
                return h.leaf("p", &[("class", "lead")], words::channels_none(lang));
            }
            h.leaf("p", &[("class", "lead")], words::channels_lead(lang));
            h.el("ul", &[("class", "rows"), ("role", "list")], |h| {
                for name in names {
                    h.el("li", &[], |h| {
                        h.el("a", &[("class", "row"), ("href", &path("/c/", name))], |h| h.text(name));
                    });
                }
            });
        })
    }

    /// A channel with its posts, the box for commands and what was asked.
    pub(super) fn channel(&self, view: &ChannelView, asked: Option<&Asked<'_>>) -> String {
        let lang = self.lang;
        let base = path("/c/", &view.name);
        self.page(&view.name, |h| {
            h.el("div", &[("class", "channel-head")], |h| {
                h.leaf("h1", &[], &view.name);
                h.el("p", &[("class", "facts")], |h| {
                    h.leaf("span", &[], &self.subject(&view.subjects));
                    if let Some(silence) = view.silence {
                        let said = match silence {
                            Silence::Wanted => words::pause_wanted(lang),
                            Silence::Broken => words::paused(lang),
                        };
                        h.leaf("span", &[("class", "warning")], said);
                    } else if let Some(due) = view.next_due {
                        let when = words::moment(lang, due, view.zone);
                        h.leaf("span", &[], &words::next_due(lang, &when));
                    }
                    let (on, off) = (words::live_on(lang), words::live_off(lang));
                    let attrs = [("id", "live"), ("data-on", on), ("data-off", off), ("hidden", "")];
                    h.leaf("span", &attrs, "");
                });
            });
            if view.more {
                h.el("p", &[("class", "earlier")], |h| {
                    h.leaf("a", &[("href", "/archive")], words::earlier(lang));
                });
            }
            let after = view.posts.last().map_or("", |post| post.key.as_str());
            let events = format!("{base}/events");
            let attrs = [
                ("id", "posts"),
                ("data-events", events.as_str()),
                ("data-after", after),
                ("data-new", words::new_post(lang)),
            ];
            h.el("section", &attrs, |h| {
                if view.posts.is_empty() {
                    h.leaf("p", &[("class", "lead"), ("id", "empty")], words::empty_channel(lang));
                }
                if let Some((newest, past)) = view.posts.split_last() {
                    past.iter().for_each(|post| past_post(h, post, &base, lang));
                    write_post(h, newest, &base, lang);
                }
            });
            h.leaf("p", &[("id", "status"), ("class", "unseen"), ("role", "status")], "");
            h.el("p", &[("class", "jump"), ("id", "jump"), ("hidden", "")], |h| {
                h.leaf("a", &[("href", "#posts")], words::new_post(lang));
            });
            h.el("section", &[("id", "answers"), ("aria-live", "polite")], |h| {
                if let Some(asked) = asked {
                    answer(h, asked);
                }
            });
            self.command_box(h, &base);
        })
    }

    fn command_box(&self, h: &mut Html, base: &str) {
        let lang = self.lang;
        let action = format!("{base}/ask#answers");
        let attrs = [
            ("class", "ask"),
            ("method", "post"),
            ("action", action.as_str()),
            ("data-failed", words::ask_failed(lang)),
        ];
        h.el("form", &attrs, |h| {
            h.leaf(
                "label",
                &[("for", "text"), ("class", "unseen")],
                words::write_to_channel(lang),
            );
            h.tag(
                "input",
                &[
                    ("id", "text"),
                    ("name", "text"),
                    ("type", "text"),
                    ("list", "commands"),
                    ("placeholder", words::ask_hint(lang)),
                    ("maxlength", "1000"),
                    ("autocomplete", "off"),
                    ("autocapitalize", "off"),
                    ("spellcheck", "false"),
                    ("enterkeyhint", "send"),
                    ("required", ""),
                ],
            );
            h.el("datalist", &[("id", "commands")], |h| {
                for spec in TABLE {
                    let typed = format!("/{}", spec.name);
                    h.leaf("option", &[("value", &typed)], lang.pick(spec.zh, spec.en));
                }
            });
            h.leaf("button", &[("type", "submit")], words::ask(lang));
        });
    }

    /// The archive.
    pub(super) fn archive(&self, view: &ArchiveView, first_page: bool) -> String {
        let lang = self.lang;
        self.page(words::archive(lang), |h| {
            h.leaf("h1", &[], words::archive(lang));
            if !view.held.is_empty() {
                self.held(h, &view.held);
            }
            let lead = if view.digests.is_empty() {
                words::archive_none(lang)
            } else {
                words::archive_lead(lang)
            };
            h.leaf("p", &[("class", "lead")], lead);
            let month_of = |line: &DigestLine| words::month(lang, self.day_of(&line.id));
            for month in view.digests.chunk_by(|a, b| month_of(a) == month_of(b)) {
                if let Some(first) = month.first() {
                    h.leaf("h2", &[("class", "month")], &month_of(first));
                }
                h.el("ol", &[("class", "rows issues"), ("role", "list")], |h| {
                    month.iter().for_each(|line| self.issue(h, line));
                });
            }
            if view.next.is_some() || !first_page {
                h.el("p", &[("class", "actions")], |h| {
                    if !first_page {
                        h.leaf("a", &[("href", "/archive")], words::later(lang));
                    }
                    if let Some(next) = &view.next {
                        let href = path("/archive?before=", &next.to_string());
                        h.leaf("a", &[("href", &href)], words::earlier(lang));
                    }
                });
            }
        })
    }

    /// What waits for a decision. The page asks nobody who they are, so that it only says how to decide.
    fn held(&self, h: &mut Html, held: &[(DigestId, Held)]) {
        let lang = self.lang;
        h.el("section", &[("class", "notice")], |h| {
            h.leaf("h2", &[], words::held(lang));
            h.leaf("p", &[], words::held_lead(lang));
            h.el("ul", &[("role", "list")], |h| {
                for (id, held) in held {
                    h.el("li", &[], |h| {
                        let (name, href) = (id.to_string(), path("/digest/", &id.to_string()));
                        h.leaf("a", &[("href", &href)], &name);
                        h.leaf("p", &[], &held.reason.says(lang, &[]));
                        for action in ["post", "drop"] {
                            h.leaf("code", &[], &format!("paperwire held {action} {name}"));
                            h.text(" ");
                        }
                    });
                }
            });
        });
    }

    fn issue(&self, h: &mut Html, line: &DigestLine) {
        let lang = self.lang;
        h.el("li", &[], |h| {
            h.el(
                "a",
                &[("class", "row"), ("href", &path("/digest/", &line.id.to_string()))],
                |h| {
                    let day = self.day_of(&line.id);
                    h.el("time", &[("datetime", &day.to_string()), ("class", "number")], |h| {
                        h.text(&day.format("%-d").to_string())
                    });
                    h.el("span", &[("class", "body")], |h| {
                        h.leaf("strong", &[], &self.subject(&line.subjects));
                        let when = format!(
                            "{} · {}",
                            words::papers(lang, line.papers),
                            words::time(line.id.occurrence, self.zone)
                        );
                        h.leaf("span", &[("class", "dim")], &when);
                        if !line.first.is_empty() {
                            let titles = line.first.join(" · ");
                            h.leaf("span", &[("class", "titles"), ("lang", lang_of(&titles))], &titles);
                        }
                    });
                },
            );
        });
    }

    /// One digest.
    pub(super) fn digest(&self, view: &DigestView) -> String {
        let lang = self.lang;
        let digest = &view.digest;
        let title = match digest.week {
            None => self.subject(&digest.subjects),
            Some(_) => format!("{} · {}", self.subject(&digest.subjects), lang.weekly_mark()),
        };
        let chosen = match digest.week {
            None => words::chosen_from(lang, digest.matched, digest.considered),
            Some(_) => lang.weekly_count(digest.entries.len(), digest.considered),
        };
        let day = words::day(lang, self.day_of(&digest.id));
        self.page(&format!("{title} · {day}"), |h| {
            h.el("div", &[("class", "issue-head")], |h| {
                h.leaf("p", &[("class", "kicker")], &day);
                h.leaf("h1", &[], &title);
                h.el("p", &[("class", "facts")], |h| {
                    h.leaf("span", &[], &words::papers(lang, digest.entries.len()));
                    h.leaf("span", &[], &chosen);
                });
            });
            if digest.entries.is_empty() {
                return h.leaf("p", &[("class", "lead")], words::empty_digest(lang));
            }
            h.el("ol", &[("class", "entries"), ("role", "list")], |h| {
                let mut abstracts = view.abstracts.iter();
                for entry in &digest.entries {
                    let errata = view.errata.as_ref();
                    let amendment = errata.and_then(|errata| errata.amendment(entry.number, lang, self.zone));
                    self.entry(h, entry, amendment, abstracts.next().map_or("", String::as_str));
                }
            });
        })
    }

    fn entry(&self, h: &mut Html, entry: &Entry, amendment: Option<Amendment>, abstract_text: &str) {
        let lang = self.lang;
        let anchor = format!("n{}", entry.number);
        h.el("li", &[("class", "entry"), ("id", &anchor)], |h| {
            h.leaf("span", &[("class", "number")], &entry.number.to_string());
            h.el("div", &[("class", "body")], |h| {
                let title = or_missing(&entry.title, lang);
                h.el("h3", &[("lang", lang_of(title))], |h| {
                    if let Some(mark) = amendment.as_ref().and_then(|amendment| amendment.mark) {
                        h.text(&format!("{mark} "));
                    }
                    h.leaf("a", &[("href", &path("/paper/", &entry.paper.to_string()))], title);
                });
                if let Some(line) = amendment.and_then(|amendment| amendment.line) {
                    h.leaf("p", &[("class", "line")], &line);
                }
                if let Some(brief) = brief_for(entry, lang) {
                    write_brief(h, &brief.brief, brief.replaced.is_some(), lang);
                }
                let mut facts = Vec::new();
                if !entry.institutions.is_empty() {
                    facts.push(entry.institutions.join(lang.pick("、", ", ")));
                }
                facts.extend(entry.author_count.map(|n| words::author_count(lang, n)));
                if !facts.is_empty() {
                    h.leaf("p", &[("class", "line dim")], &facts.join(" · "));
                }
                if !abstract_text.is_empty() {
                    markup::quoted(h, abstract_text, lang);
                }
            });
        });
    }

    /// One paper.
    pub(super) fn paper(&self, view: &PaperView) -> String {
        let lang = self.lang;
        let paper = &view.paper;
        let title = or_missing(paper.title(), lang);
        self.page(title, |h| {
            h.el("article", &[("class", "paper")], |h| {
                let kicker = if paper.id.is_provisional() {
                    words::paper(lang)
                } else {
                    paper.id.bare()
                };
                h.leaf("p", &[("class", "kicker")], kicker);
                h.leaf("h1", &[("lang", lang_of(title))], title);
                if !paper.authors().is_empty() {
                    h.leaf("p", &[("class", "authors")], &paper.authors().join(", "));
                }
                let links = [
                    (words::read_online(lang), paper.id.link()),
                    (words::pdf(lang), paper.id.pdf()),
                    (words::code(lang), paper.code_link()),
                ];
                if links.iter().any(|(_, url)| url.is_some()) {
                    h.el("p", &[("class", "actions")], |h| {
                        for (label, url) in &links {
                            if let Some(url) = url {
                                h.link_out("out", label, url);
                            }
                        }
                    });
                }
                let composed = brief::composed(paper, lang);
                if let Some(brief) = composed.brief {
                    h.leaf("h2", &[], words::brief(lang));
                    write_brief(h, &brief, composed.replaced.is_some(), lang);
                }
                h.leaf("h2", &[], words::abstract_(lang));
                if paper.abstract_text().is_empty() {
                    h.leaf("p", &[("class", "dim")], words::no_abstract(lang));
                } else {
                    h.el("div", &[("class", "abstract")], |h| {
                        markup::paragraphs(h, paper.abstract_text());
                    });
                }
                self.paper_facts(h, view);
            });
        })
    }

    fn paper_facts(&self, h: &mut Html, view: &PaperView) {
        let lang = self.lang;
        let paper = &view.paper;
        let date = |at: DateTime<Utc>| words::day(lang, at.date_naive());
        let field = |f: &Option<paperwire_core::paper::Field<String>>| f.as_ref().map(|f| f.value.clone());
        let list = |items: &[String], joint: &str| (!items.is_empty()).then(|| items.join(joint));
        let revised = paper.revised.filter(|_| paper.version > 1);
        let authors = paper.author_count().map(|n| words::author_count(lang, n));
        let rows = [
            (
                words::institutions(lang),
                list(paper.institutions(), lang.pick("、", "; ")),
            ),
            (words::authors(lang), authors),
            (words::categories(lang), list(paper.categories(), " · ")),
            (words::submitted(lang), paper.submitted.map(date)),
            (
                words::revised(lang),
                revised.map(|at| format!("{} · {}", date(at), words::version(lang, paper.version))),
            ),
            (words::journal(lang), field(&paper.journal_ref)),
            (words::comments(lang), field(&paper.comments)),
        ];
        h.el("dl", &[("class", "facts-list")], |h| {
            for (name, value) in &rows {
                if let Some(value) = value {
                    h.leaf("dt", &[], name);
                    h.leaf("dd", &[], value);
                }
            }
            if let Some(doi) = &paper.doi {
                h.leaf("dt", &[], "DOI");
                h.el("dd", &[], |h| {
                    h.link_out("out", &doi.value, &path("https://doi.org/", &doi.value));
                });
            }
            if !view.digests.is_empty() {
                h.leaf("dt", &[], words::digests_with(lang));
                for (id, number) in &view.digests {
                    h.el("dd", &[], |h| {
                        let href = format!("{}#n{number}", path("/digest/", &id.to_string()));
                        let day = words::day(lang, self.day_of(id));
                        let label = format!("{day} · {}", words::number_in(lang, *number));
                        h.leaf("a", &[("href", &href)], &label);
                    });
                }
            }
        });
    }

    fn day_of(&self, id: &DigestId) -> NaiveDate {
        id.occurrence.with_timezone(&self.zone).date_naive()
    }

    /// The names of what is followed.
    fn subject(&self, subjects: &Subjects) -> String {
        let mut names: Vec<&str> = Vec::new();
        for topic in &subjects.topics {
            let known = self.topics.iter().find(|t| t.id == *topic);
            names.push(known.map_or(&topic.0, |t| self.lang.pick(&t.zh, &t.en)));
        }
        names.extend(subjects.keywords.iter().map(String::as_str).take(4));
        if names.is_empty() {
            return words::posts(self.lang).to_owned();
        }
        names.join(self.lang.pick("、", ", "))
    }
}

/// A post as it stands in the channel's view.
pub(super) fn post_html(post: &PostView, base: &str, reader: Lang) -> String {
    let mut h = Html::default();
    write_post(&mut h, post, base, reader);
    h.finish()
}

/// An answer as it is added to the page.
pub(super) fn answer_html(asked: &Asked<'_>) -> String {
    let mut h = Html::default();
    answer(&mut h, asked);
    h.finish()
}

fn write_post(h: &mut Html, post: &PostView, base: &str, reader: Lang) {
    let id = element_id(&post.key);
    h.el(
        "article",
        &[("class", "post"), ("id", &id), ("data-key", &post.key)],
        |h| {
            h.el("header", &[("class", "post-head")], |h| {
                post_time(h, post, reader);
                if let Some(message) = &post.message {
                    let headline = markup::split(message).0;
                    h.leaf("h2", &[("lang", lang_of(headline))], headline);
                }
            });
            post_body(h, post, base, reader);
        },
    );
}

/// An older post: one line that unfolds.
fn past_post(h: &mut Html, post: &PostView, base: &str, reader: Lang) {
    let id = element_id(&post.key);
    h.el(
        "details",
        &[("class", "post past"), ("id", &id), ("data-key", &post.key)],
        |h| {
            h.el("summary", &[], |h| {
                let headline = post.message.as_ref().map_or("…", |message| markup::split(message).0);
                h.leaf("span", &[("class", "headline"), ("lang", lang_of(headline))], headline);
                h.leaf("span", &[("class", "dim")], &words::moment(reader, post.at, post.zone));
            });
            post_body(h, post, base, reader);
        },
    );
}

fn post_time(h: &mut Html, post: &PostView, reader: Lang) {
    let when = words::moment(reader, post.at, post.zone);
    let machine = post.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    h.el("p", &[("class", "kicker")], |h| {
        h.el("time", &[("datetime", &machine)], |h| match post.digest {
            Some(id) => h.leaf("a", &[("href", &path("/digest/", &id.to_string()))], &when),
            None => h.text(&when),
        });
    });
}

fn post_body(h: &mut Html, post: &PostView, base: &str, reader: Lang) {
    let action = pressed_at(base);
    let ballot = markup::Ballot {
        action: &action,
        message: &post.key,
    };
    match &post.message {
        Some(message) => h.el("div", &[("class", "message"), ("lang", code(post.lang))], |h| {
            markup::write(h, markup::split(message).1, post.lang, Some(ballot));
        }),
        None => h.leaf("p", &[("class", "complaint")], words::post_damaged(reader)),
    }
}

/// Where a channel's buttons are pressed.
fn pressed_at(base: &str) -> String {
    format!("{base}/press#answers")
}

fn answer(h: &mut Html, asked: &Asked<'_>) {
    let answer = asked.answer;
    let message: &Message = &answer.message;
    let manner = match answer.manner {
        Manner::Reply => "reply",
        Manner::Replace => "replace",
        Manner::Notice | Manner::Buttons => "notice",
        Manner::Silent => "silent",
    };
    h.el("article", &[("class", "answer"), ("data-manner", manner)], |h| {
        if let Some(question) = asked.question {
            h.el("p", &[("class", "question")], |h| h.leaf("code", &[], question));
        }
        h.el("div", &[("class", "message"), ("lang", code(answer.lang))], |h| {
            markup::write(h, &message.blocks, answer.lang, None);
        });
        if let Some(file) = &answer.file {
            // A file is a small thing of one answer: it is kept nowhere but in the page that has asked for it.
            let href = format!("data:{};base64,{}", file.mime, BASE64_STANDARD.encode(&file.bytes));
            h.el("p", &[("class", "actions file")], |h| {
                h.leaf(
                    "a",
                    &[("href", &href), ("download", &file.name)],
                    &format!("⬇ {}", file.name),
                );
                h.leaf("span", &[("class", "dim")], &words::size(file.bytes.len()));
            });
        }
        let action = pressed_at(asked.base);
        for row in answer.buttons.iter().filter(|row| !row.is_empty()) {
            let attrs = [
                ("class", "press"),
                ("method", "post"),
                ("action", action.as_str()),
                ("lang", code(answer.lang)),
            ];
            h.el("form", &attrs, |h| {
                for button in row {
                    h.leaf("button", &[("name", "data"), ("value", &button.data)], &button.label);
                }
            });
        }
    });
}

fn write_brief(h: &mut Html, brief: &Brief, replaced: bool, reader: Lang) {
    h.el("p", &[("class", "brief"), ("lang", code(brief.lang))], |h| {
        h.text(&brief.text);
        match brief.origin {
            Origin::Imported | Origin::Model => {}
            Origin::Extracted => {
                h.text(" ");
                let attrs = [("class", "mark"), ("lang", code(reader))];
                let mark = match replaced {
                    true => words::brief_replaced(reader),
                    false => words::brief_extracted(reader),
                };
                h.leaf("span", &attrs, mark);
            }
        }
    });
}

fn nav_link(h: &mut Html, href: &str, label: &str, current: bool) {
    let mut attrs = vec![("href", href)];
    if current {
        attrs.push(("aria-current", "page"));
    }
    h.leaf("a", &attrs, label);
}

/// Message ids are the sender's own hexadecimal keys; anything else in one is not repeated in an element's id.
fn element_id(key: &str) -> String {
    let safe: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("p-{safe}")
}

fn or_missing(title: &str, lang: Lang) -> &str {
    if title.trim().is_empty() {
        words::title_missing(lang)
    } else {
        title
    }
}

/// The `lang` attribute of a language: Paperwire's Chinese is written in simplified characters.
pub(super) fn code(lang: Lang) -> &'static str {
    lang.pick("zh-Hans", "en")
}
