//! Just enough Markdown for the pages that are embedded: headings, paragraphs, lists, tables, code, links, bold.
//! Whatever it does not know stays as it is written; nothing in a page can become markup.

use std::fmt::Write as _;

use crate::docs::Topic;

/// A page as HTML, without its first heading.
pub(super) fn render(topic: &Topic) -> String {
    let mut html = String::new();
    let mut lines = topic.text.lines().skip(1).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<_> = lines
                .by_ref()
                .take_while(|l| !l.starts_with("```"))
                .collect();
            add(&mut html, "pre tabindex=\"0\"", &escape(&code.join("\n")));
        } else if let Some(heading) = line.strip_prefix('#') {
            let deeper = heading.trim_start_matches('#');
            let level = (1 + heading.len() - deeper.len()).min(6);
            let _ = writeln!(
                html,
                "<h{level} id=\"{id}\">{text}</h{level}>",
                id = anchor(deeper),
                text = inline(topic, deeper.trim())
            );
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|l| l.starts_with('|')) {
                rows.push(row);
            }
            table(&mut html, topic, &rows);
        } else if let Some((ordered, first)) = item(line) {
            let mut items = vec![first.to_owned()];
            while let Some(next) =
                lines.next_if(|l| item(l).is_some() || (l.starts_with(' ') && !l.trim().is_empty()))
            {
                match (item(next), items.last_mut()) {
                    (Some((_, text)), _) => items.push(text.to_owned()),
                    (None, Some(last)) => {
                        last.push(' ');
                        last.push_str(next.trim());
                    }
                    (None, None) => {}
                }
            }
            let items: String = items
                .iter()
                .map(|text| format!("<li>{}</li>", inline(topic, text)))
                .collect();
            add(&mut html, if ordered { "ol" } else { "ul" }, &items);
        } else if !line.trim().is_empty() {
            let mut text = line.trim().to_owned();
            while let Some(next) = lines.next_if(|l| !l.trim().is_empty() && !begins_block(l)) {
                text.push(' ');
                text.push_str(next.trim());
            }
            add(&mut html, "p", &inline(topic, &text));
        }
    }
    html
}

/// `text` so that it shows as it is.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn add(html: &mut String, tag: &str, inner: &str) {
    let name = tag.split(' ').next().unwrap_or(tag);
    // Writing to a String cannot fail, here and elsewhere.
    let _ = writeln!(html, "<{tag}>{inner}</{name}>");
}

fn begins_block(line: &str) -> bool {
    line.starts_with("```")
        || line.starts_with('#')
        || line.starts_with('|')
        || item(line).is_some()
}

/// The text of a list item, and whether it is numbered.
fn item(line: &str) -> Option<(bool, &str)> {
    if let Some(text) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some((false, text));
    }
    let (number, text) = line.split_once(". ")?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some((true, text))
}

fn table(html: &mut String, topic: &Topic, rows: &[&str]) {
    let mut inner = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = cells(row);
        if cells
            .iter()
            .all(|cell| cell.bytes().all(|b| matches!(b, b'-' | b':')))
            && index == 1
        {
            continue;
        }
        let open = if index == 0 {
            "<th scope=\"col\">"
        } else {
            "<td>"
        };
        let close = if index == 0 { "</th>" } else { "</td>" };
        let row: String = cells
            .iter()
            .map(|cell| format!("{open}{}{close}", inline(topic, cell)))
            .collect();
        let _ = write!(inner, "<tr>{row}</tr>");
    }
    let _ = writeln!(
        html,
        "<div class=\"scroll\" tabindex=\"0\"><table>{inner}</table></div>"
    );
}

/// The cells of a row; `\|` and a bar between backticks belong to the text.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let (mut code, mut escaped) = (false, false);
    for c in row.trim().trim_start_matches('|').chars() {
        if c == '|' && !code && !escaped {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            if c == '|' && escaped {
                cell.pop();
            }
            cell.push(c);
        }
        code ^= c == '`';
        escaped = c == '\\';
    }
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn inline(topic: &Topic, text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        html.push_str(&escape(&rest[..at]));
        rest = &rest[at..];
        if let Some((code, after)) = rest.strip_prefix('`').and_then(|r| r.split_once('`')) {
            let _ = write!(html, "<code>{}</code>", escape(code));
            rest = after;
        } else if let Some((bold, after)) = rest.strip_prefix("**").and_then(|r| r.split_once("**"))
        {
            let _ = write!(html, "<strong>{}</strong>", inline(topic, bold));
            rest = after;
        } else if let Some((name, link, after)) = link(rest) {
            match target(topic, link) {
                Some(target) => {
                    let _ = write!(
                        html,
                        "<a href=\"{}\">{}</a>",
                        escape(&target),
                        inline(topic, name)
                    );
                }
                None => html.push_str(&inline(topic, name)),
            }
            rest = after;
        } else {
            html.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    html.push_str(&escape(rest));
    html
}

fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (link, after) = rest.split_once(')')?;
    (!name.contains('[')).then_some((name, link, after))
}

/// Pages link to pages; a link to a source file leads nowhere from here and becomes text.
fn target(topic: &Topic, link: &str) -> Option<String> {
    if link.starts_with('#') || link.starts_with("https://") {
        return Some(link.to_owned());
    }
    let fragment = link
        .split_once('#')
        .map_or_else(String::new, |(_, f)| format!("#{f}"));
    topic
        .linked(link)
        .map(|linked| format!("/docs/{}{fragment}", linked.name))
}

fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::TOPICS;

    fn html(text: &'static str) -> String {
        render(&Topic {
            name: "test",
            source: "ota/docs/test.md",
            text,
        })
    }

    #[test]
    fn blocks_become_their_elements() {
        let html =
            html("# T\n\none\ntwo\n\n## A `b`\n- x\n  y\n- z\n\n1. n\n\n```sh\na < b\n```\n");
        assert_eq!(
            html,
            "<p>one two</p>\n<h2 id=\"a-b\">A <code>b</code></h2>\n<ul><li>x y</li><li>z</li></ul>\n<ol><li>n</li></ol>\n\
             <pre tabindex=\"0\">a &lt; b</pre>\n"
        );
    }

    #[test]
    fn a_table_keeps_bars_in_code() {
        let html = html("# T\n| a | b |\n|---|:-:|\n| `x|y` | p \\| q |\n");
        assert!(html.contains("<th scope=\"col\">a</th>"), "{html}");
        assert!(
            html.contains("<td><code>x|y</code></td><td>p | q</td>"),
            "{html}"
        );
    }

    #[test]
    fn nothing_in_a_page_becomes_markup() {
        let html = html("# T\n<b>x</b> [<i>](https://x.test/\"><i>) `<u>` **<s>**\n| <q> |\n");
        for tag in ["<b>", "<i>", "<u>", "<s>", "<q>", "test/\""] {
            assert!(!html.contains(tag), "{tag} in {html}");
        }
    }

    #[test]
    fn links_lead_to_pages_and_a_script_is_no_link() {
        assert!(
            html("# T\n[p](../wire/docs/packets.md#spi)").contains("href=\"/docs/packets#spi\"")
        );
        assert_eq!(
            html("# T\n[p](javascript:x) [q](../src/lib.rs)"),
            "<p>p q</p>\n"
        );
    }

    #[test]
    fn every_page_renders_without_leftovers() {
        for topic in TOPICS {
            let html = render(topic);
            assert!(!html.contains("```"), "{}", topic.source);
            assert!(!html.contains("<p>|"), "{}", topic.source);
        }
    }
}
