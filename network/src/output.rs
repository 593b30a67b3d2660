//! Results on standard output, for people or as JSON.

use std::fmt::Display;

use console::{Style, measure_text_width, style};
use serde_json::Value;

/// The form of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

impl Output {
    /// Shows a result: `text` for people, `json` for programs.
    pub(crate) fn show(self, json: Value, text: impl FnOnce() -> String) {
        match self.format {
            Format::Json => line(&pretty(&json)),
            Format::Text => line(text().trim_end()),
        }
    }

    /// A line for people; nothing in JSON.
    pub(crate) fn say(self, text: impl Display) {
        if self.format == Format::Text {
            line(&text.to_string());
        }
    }
}

/// JSON on several lines.
pub(crate) fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

fn line(text: &str) {
    use std::io::Write;
    // A closed pipe (`gauze … | head`) is no failure of the command.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Rows under headings, aligned.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| measure_text_width(cell)).max().unwrap_or(0);
        longest.max(headings.get(column).map_or(0, |heading| heading.len()))
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let heading = Style::new().bold();
    let mut text = join(headings.iter().map(|h| heading.apply_to(h).to_string()), &widths);
    for row in rows {
        text.push('\n');
        text.push_str(&join(row.iter().cloned(), &widths));
    }
    text
}

fn join(cells: impl Iterator<Item = String>, widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.zip(widths) {
        let missing = width.saturating_sub(measure_text_width(&cell));
        line.push_str(&cell);
        line.push_str(&" ".repeat(missing + 2));
    }
    line.trim_end().to_owned()
}

/// A short form of a long id, as tables show it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Less prominent text.
pub(crate) fn faint(text: impl Display) -> String {
    style(text).dim().to_string()
}

/// Prominent text.
pub(crate) fn bold(text: impl Display) -> String {
    style(text).bold().to_string()
}

/// Bytes of an answer: JSON on several lines, other text as it is, the rest as hex.
pub(crate) fn payload(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(json @ (Value::Object(_) | Value::Array(_))) => pretty(&json),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => hex::encode(bytes),
        },
    }
}

/// The same as a JSON value.
pub(crate) fn payload_json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .or_else(|_| std::str::from_utf8(bytes).map(Value::from))
        .unwrap_or_else(|_| Value::from(hex::encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = vec![
            vec!["peer0.hospital".to_owned(), "7051".to_owned()],
            vec!["ca".to_owned(), "1".to_owned()],
        ];
        let text = console::strip_ansi_codes(&table(&["NODE", "PORT"], &rows)).into_owned();
        assert_eq!(text, "NODE            PORT\npeer0.hospital  7051\nca              1");
    }

    #[test]
    fn payloads_are_readable() {
        assert_eq!(payload(b"{\"a\":1}"), "{\n  \"a\": 1\n}");
        assert_eq!(payload(b"plain"), "plain");
        assert_eq!(payload(&[0xff, 0]), "ff00");
    }
}
