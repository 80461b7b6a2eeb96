//! What a command says: data on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::exit::Outcome;

/// Whom the data is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Tables for people
    Table,
    /// The objects of the API
    Json,
}

/// Where a command says things.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
}

impl Output {
    /// The answer of a command: what the API answered, for programs; for people, what is made of it.
    pub(crate) fn answer(self, answer: &Value, for_people: impl FnOnce() -> String) -> Outcome {
        match self.format {
            Format::Json => self.line(json(format_args!("{answer:#}"))),
            Format::Table => self.line(for_people()),
        }
    }

    /// The answer of a command that changed something, of which people need only a sentence.
    pub(crate) fn done(self, answer: &Value, sentence: impl Display) -> Outcome {
        match self.format {
            Format::Json => self.line(json(format_args!("{answer:#}"))),
            Format::Table => {
                self.note(sentence);
                Ok(())
            }
        }
    }

    /// Data.
    #[expect(
        clippy::unused_self,
        reason = "whoever says something has to have been given where"
    )]
    pub(crate) fn line(self, data: impl Display) -> Outcome {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{data}")?;
        out.flush()?;
        Ok(())
    }

    /// Something for people, and no part of the data.
    pub(crate) fn note(self, text: impl Display) {
        if !self.quiet {
            tell(text);
        }
    }
}

/// Says something on standard error, without what could steer a terminal.
pub(crate) fn tell(text: impl Display) {
    tell_to(&mut std::io::stderr(), text);
}

/// Nobody may be there to read it.
fn tell_to(reader: &mut impl Write, text: impl Display) {
    let _ = writeln!(reader, "{}", printable(&text.to_string()));
}

/// Rows under headings, as wide as the terminal at most.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = bare();
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    // The first column is what the others are about: it stays in one piece, to be copied.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    trimmed(&table)
}

/// One thing: its properties below each other, without those that are empty.
pub(crate) fn properties<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = bare();
    for (name, value) in rows {
        if !value.is_empty() {
            table.add_row([name.to_owned(), printable(&value)]);
        }
    }
    trimmed(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

fn trimmed(table: &Table) -> String {
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The columns of the terminal; none if the data goes elsewhere, where lines may be as long as they are.
fn width() -> Option<u16> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// A text of somebody else as one line, without what could steer a terminal.
pub fn printable(text: &str) -> String {
    let shown = |sign: char| match sign {
        '\n' => ' ',
        sign if steers(sign) => char::REPLACEMENT_CHARACTER,
        sign => sign,
    };
    text.chars().map(shown).collect()
}

/// JSON with nothing in it that could steer a terminal: JSON itself escapes only a part of that. All of it is within
/// texts, but for line breaks.
pub fn json(value: impl Display) -> String {
    let mut escaped = String::new();
    for sign in value.to_string().chars() {
        if sign != '\n' && steers(sign) {
            let _ = std::fmt::Write::write_fmt(&mut escaped, format_args!("\\u{:04x}", u32::from(sign)));
        } else {
            escaped.push(sign);
        }
    }
    escaped
}

/// Whether a sign is a command to a terminal (C0, DEL, C1), or makes a text read otherwise than it is written (the
/// controls of bidirectional text).
fn steers(sign: char) -> bool {
    let is_bidi = matches!(sign, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    sign.is_control() || is_bidi
}

/// A text at a place such as `/connection/name`; empty if there is none.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The items of a list of an answer.
pub(crate) fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Clears the screen by C0 and by C1, and turns what follows around.
    const STEERING: &str = "a\u{1b}[2Jb\u{9b}2Jc\u{202e}d\u{2066}e\nf";
    const HARMLESS: &str = "a\u{fffd}[2Jb\u{fffd}2Jc\u{fffd}d\u{fffd}e f";

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let shown = table(["NAME"], [[STEERING.to_owned()]]);
        assert_eq!(shown, format!(" NAME\n {HARMLESS}"));
        assert_eq!(
            properties([("name", STEERING.to_owned())]),
            format!(" name  {HARMLESS}")
        );
        let mut told = Vec::new();
        tell_to(&mut told, format_args!("{STEERING}"));
        assert_eq!(String::from_utf8(told).unwrap(), format!("{HARMLESS}\n"));
    }

    #[test]
    fn json_has_no_controls_and_means_the_same() {
        let value = json!({"name": STEERING, "other": "\u{7f} ü \u{85}"});
        let shown = super::json(format_args!("{value:#}"));
        assert!(shown.contains(r"b\u009b2Jc\u202ed"), "{shown}");
        assert!(!shown.chars().any(|sign| sign != '\n' && steers(sign)), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
    }

    #[test]
    fn what_is_empty_is_no_property() {
        let shown = properties([("name", "demo".to_owned()), ("description", String::new())]);
        assert_eq!(shown, " name  demo");
    }

    #[test]
    fn texts_are_found_by_their_place() {
        let value = json!({"a": {"b": "c"}, "n": 3, "none": null});
        assert_eq!(
            [text(&value, "/a/b"), text(&value, "/n"), text(&value, "/none")],
            ["c", "3", ""]
        );
    }
}
