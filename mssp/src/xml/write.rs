//! Writing: front to back, escaped where XML asks for it.

use std::ops::Range;

use super::is_char;

/// Writes one document.
///
/// Names and prefixes are written as given: they are the caller's, not data. Values and text may hold anything;
/// characters that XML cannot carry become U+FFFD.
///
/// ```
/// let mut w = mssp::xml::Writer::new();
/// w.open("a").attribute("b", "<\n").text("R&D").close();
/// assert_eq!(w.finish(), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"&lt;&#xA;\">R&amp;D</a>");
/// ```
#[derive(Debug)]
pub struct Writer {
    out: String,
    /// Where in `out` the names of the open elements stand.
    open: Vec<Range<usize>>,
    in_start_tag: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// `text` as it would stand in an attribute.
    pub fn escaped(text: &str) -> String {
        let mut w = Self {
            out: String::with_capacity(text.len()),
            open: Vec::new(),
            in_start_tag: false,
        };
        w.escape(text, true);
        w.out
    }

    /// A document with nothing but its XML declaration.
    pub fn new() -> Self {
        let mut out = String::with_capacity(2048);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self {
            out,
            open: Vec::new(),
            in_start_tag: false,
        }
    }

    /// Opens an element.
    pub fn open(&mut self, name: &str) -> &mut Self {
        self.end_start_tag();
        self.out.push('<');
        let start = self.out.len();
        self.out.push_str(name);
        self.open.push(start..self.out.len());
        self.in_start_tag = true;
        self
    }

    /// Adds an attribute, or a namespace declaration, to the element just opened. After other content it does nothing.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        if self.in_start_tag {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.escape(value, true);
            self.out.push('"');
        }
        self
    }

    /// Adds an attribute if there is a value.
    pub fn optional_attribute(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Adds text to the innermost open element.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.end_start_tag();
        self.escape(text, false);
        self
    }

    /// Opens an element, writes its text, closes it.
    pub fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// A leaf if there is text.
    pub fn optional_leaf(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.leaf(name, text),
            None => self,
        }
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else {
            return self;
        };
        if self.in_start_tag {
            self.out.push_str("/>");
            self.in_start_tag = false;
        } else {
            self.out.push_str("</");
            self.out.extend_from_within(name);
            self.out.push('>');
        }
        self
    }

    /// Closes what is open and returns the document.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn end_start_tag(&mut self) {
        if self.in_start_tag {
            self.out.push('>');
            self.in_start_tag = false;
        }
    }

    fn escape(&mut self, text: &str, quoted: bool) {
        // Most text has nothing to escape: it is copied from one special octet to the next.
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|octet| is_special(octet, quoted)) {
            self.out.push_str(&rest[..at]);
            let Some(c) = rest[at..].chars().next() else {
                return;
            };
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\r' => self.out.push_str("&#xD;"),
                '"' => self.out.push_str("&quot;"),
                '\n' => self.out.push_str("&#xA;"),
                '\t' => self.out.push_str("&#x9;"),
                c if is_char(c) => self.out.push(c),
                _ => self.out.push(char::REPLACEMENT_CHARACTER),
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.out.push_str(rest);
    }
}

/// Might this octet, the first of a character, need to be written otherwise?
fn is_special(octet: u8, quoted: bool) -> bool {
    match octet {
        b'&' | b'<' | b'>' => true,
        b'"' | b'\n' | b'\t' => quoted,
        // Controls; and U+F000 to U+FFFF, of which U+FFFE and U+FFFF are no characters of XML.
        0..0x20 | 0xEF => true,
        _ => false,
    }
}
