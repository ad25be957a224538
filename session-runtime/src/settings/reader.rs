//! Reads entries by name, and collects all problems to report them together.

use std::fmt::Display;
use std::time::Duration;

use super::node::Node;
use super::values;

/// A section, and the entries read from it.
pub(super) struct Section {
    /// The names of the enclosing sections, each followed by a dot.
    path: &'static str,
    entries: Vec<(String, Node)>,
    known: Vec<&'static str>,
    errors: Vec<String>,
}

impl Section {
    /// The whole configuration.
    pub(super) fn root(node: Node) -> Self {
        match node {
            Node::Map(entries) => Self::new("", entries),
            // An empty file.
            Node::Null => Self::new("", Vec::new()),
            node => {
                let problem =
                    format!("settings of sessions are entries with names, not {}", node.kind());
                Self { errors: vec![problem], ..Self::new("", Vec::new()) }
            }
        }
    }

    fn new(path: &'static str, all: Vec<(String, Node)>) -> Self {
        let mut section = Self { path, entries: Vec::new(), known: Vec::new(), errors: Vec::new() };
        for (name, node) in all {
            if section.entries.iter().any(|(known, _)| *known == name) {
                section.wrong(&name, "is given twice");
            } else {
                section.entries.push((name, node));
            }
        }
        section
    }

    /// Returns the section `name`, empty if it is missing. `path` is its name followed by
    /// a dot.
    pub(super) fn section(&mut self, name: &'static str, path: &'static str) -> Self {
        match self.take(name) {
            None => Self::new(path, Vec::new()),
            Some(Node::Map(entries)) => Self::new(path, entries),
            Some(node) => {
                let problem = format!("has entries of its own, and is not {}", node.kind());
                self.wrong(name, problem);
                Self::new(path, Vec::new())
            }
        }
    }

    pub(super) fn wrong(&mut self, name: &str, problem: impl Display) {
        self.errors.push(format!("{}{name}: {problem}", self.path));
    }

    /// Returns all problems of the section, including unknown entries.
    pub(super) fn finish(mut self, misplaced: fn(&str) -> Option<&'static str>) -> Vec<String> {
        for (name, _) in std::mem::take(&mut self.entries) {
            match misplaced(&name) {
                Some(problem) => self.wrong(&name, problem),
                None => {
                    let known = self.known.join("`, `");
                    self.wrong(&name, format!("there is no such entry; there are `{known}`"));
                }
            }
        }
        self.errors
    }

    /// Takes the entry, unless it is missing or empty.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Node> {
        self.take_or_null(name).filter(|node| !matches!(node, Node::Null))
    }

    /// Returns whether the entry exists and has not been taken.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(known, node)| known == name && !matches!(node, Node::Null))
    }

    fn take_or_null(&mut self, name: &'static str) -> Option<Node> {
        self.known.push(name);
        let at = self.entries.iter().position(|(known, _)| known == name)?;
        Some(self.entries.swap_remove(at).1)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let node = self.take(name)?;
        self.text_of(name, node)
    }

    /// Returns the node as text, even if the format parsed it as another scalar.
    fn text_of(&mut self, name: &str, node: Node) -> Option<String> {
        match node {
            Node::Text(text) if text.trim().is_empty() => self.wrong(name, "is empty"),
            Node::Text(text) => return Some(text.trim().to_owned()),
            Node::Int(number) => return Some(number.to_string()),
            Node::Float(number) => return Some(number.to_string()),
            Node::Bool(flag) => return Some(flag.to_string()),
            node => self.wrong(name, format!("write a text, not {}", node.kind())),
        }
        None
    }

    /// Takes a list, or a text split at commas.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<String> {
        match self.take(name) {
            None => Vec::new(),
            Some(Node::List(nodes)) => {
                nodes.into_iter().filter_map(|node| self.text_of(name, node)).collect()
            }
            Some(node) => {
                let text = self.text_of(name, node).unwrap_or_default();
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                items.map(str::to_owned).collect()
            }
        }
    }

    /// Takes a text and parses it with `read`; reports that it is not `expected` on failure.
    pub(super) fn value<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = read(&text.to_ascii_lowercase());
        if value.is_none() {
            // Not quoted: the text may be a misplaced secret.
            self.wrong(name, format!("is not {expected}"));
        }
        value
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.value(name, "`true` or `false`", values::flag)
    }

    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.value(name, DURATION, values::duration)
    }

    /// Takes a duration or `none`. Rejects null, which could mean either.
    pub(super) fn limit(&mut self, name: &'static str) -> Option<Option<Duration>> {
        let node = self.take_or_null(name)?;
        if matches!(node, Node::Null) {
            self.wrong(name, "write `\"none\"` for no limit, or leave the entry out");
            return None;
        }
        self.entries.push((name.to_owned(), node));
        self.known.pop();
        let expected = format!("{DURATION}, or `none`");
        self.value(name, &expected, |text| match text {
            "none" | "never" => Some(None),
            text => values::duration(text).map(Some),
        })
    }
}

const DURATION: &str =
    "a duration: write `\"30m\"`, `\"1h 30m\"`, `\"500ms\"` or a number of seconds";
