//! What the bot says of votes and reading lists, in Chinese and in English.

use super::{Tally, Vote};
use crate::locale::Lang;

impl Lang {
    /// A vote was taken: what the person's vote is now, and the counts.
    pub fn voted(self, before: Option<Vote>, after: Option<Vote>, tally: Tally) -> String {
        let what = match (before, after) {
            (None, None) => self.pick("没有投票".to_owned(), "No vote".to_owned()),
            (Some(_), None) => self.pick("已撤回投票".to_owned(), "Vote withdrawn".to_owned()),
            (None, Some(now)) => {
                let sign = now.sign();
                self.pick(format!("已投 {sign}"), format!("You voted {sign}"))
            }
            (Some(_), Some(now)) => {
                let sign = now.sign();
                self.pick(format!("已改投 {sign}"), format!("Your vote is now {sign}"))
            }
        };
        if tally.is_empty() {
            self.pick(format!("{what}。"), format!("{what}."))
        } else {
            self.pick(format!("{what}（{tally}）。"), format!("{what} ({tally})."))
        }
    }

    /// A paper was put on the reading list, or taken off it.
    pub fn saved_or_removed(self, saved: bool) -> &'static str {
        match saved {
            true => self.pick(
                "已收藏。/saved 查看你的收藏。",
                "Saved. /saved shows your reading list.",
            ),
            false => self.pick("已从收藏中移除。", "Removed from your reading list."),
        }
    }

    /// The reading list's heading.
    pub fn saved_title(self, papers: usize) -> String {
        let s = if papers == 1 { "" } else { "s" };
        self.pick(
            format!("我的收藏 · {papers} 篇"),
            format!("Your reading list · {papers} paper{s}"),
        )
    }

    /// There is nothing on it.
    pub fn nothing_saved(self) -> &'static str {
        self.pick(
            "你还没有收藏论文。点论文下方的“收藏”即可加入。",
            "Your reading list is empty. Press “save” below a paper to put it there.",
        )
    }

    /// When a paper was put on it.
    pub fn saved_on(self, date: &str) -> String {
        self.pick(format!("{date}收藏"), format!("saved {date}"))
    }

    /// Which page this is, and how to see another one.
    pub fn saved_pages(self, page: usize, pages: usize) -> String {
        let other = if page < pages { page + 1 } else { 1 };
        self.pick(
            format!("第 {page}/{pages} 页；/saved {other} 查看第 {other} 页。"),
            format!("Page {page} of {pages}; /saved {other} shows page {other}."),
        )
    }

    /// How the list is exported; `formats` are the words to type.
    pub fn saved_export_hint(self, formats: &[&str]) -> String {
        let formats = formats.join("|");
        self.pick(
            format!("/saved export {formats} 将全部收藏导出为文件。"),
            format!("/saved export {formats} gives you all of them as a file."),
        )
    }

    /// The heading of the best of the last days.
    pub fn top_title(self, days: i64) -> String {
        self.pick(
            format!("最近 {days} 天的热门论文"),
            format!("Top papers of the last {days} days"),
        )
    }

    /// Nothing was posted in that time.
    pub fn top_nothing(self, days: i64) -> String {
        self.pick(
            format!("最近 {days} 天这里没有发布论文。"),
            format!("No paper was posted here in the last {days} days."),
        )
    }

    /// Nobody has voted: the order is that of the scores.
    pub fn top_no_votes(self) -> &'static str {
        self.pick(
            "还没有人投票，以下按得分排列。点论文下方的 👍 或 👎 即可投票。",
            "Nobody has voted yet; these scored best. Press 👍 or 👎 below a paper to vote.",
        )
    }

    /// Where a paper was posted: the day of its digest and its number there.
    pub fn posted_as(self, date: &str, number: u32) -> String {
        self.pick(format!("{date}第 {number} 篇"), format!("{date}, no. {number}"))
    }

    /// The title of an exported list.
    pub fn export_title(self) -> &'static str {
        self.pick("我的收藏", "Reading list")
    }

    /// More authors than are named.
    pub fn et_al(self) -> &'static str {
        self.pick("等", " et al.")
    }
}
