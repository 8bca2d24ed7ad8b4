//! Generators of header blocks and of data that is no text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Dice;

const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Blocks of the mesh and of nobody, for us and for others, mandatory and not.
pub(super) fn header_blocks(good: &str, dice: &mut Dice) -> Vec<u8> {
    let mut blocks = String::new();
    for _ in 0..dice.size(&[1, 1, 2, 30], &[3000]) {
        let name = dice.pick(&[
            "r:RoamingHeader",
            "r:RoamingHeader",
            "x:Security",
            "mss:MSS_MessageSignature",
        ]);
        let role = dice.pick(&[
            "",
            " env:role=\"http://www.w3.org/2003/05/soap-envelope/role/next\"",
            " env:role=\"http://uri.etsi.org/TS102207/v1.1.3#role_HomeMSSP\"",
            " env:role=\"urn:somebody\"",
        ]);
        let mandatory = dice.pick(&[
            "",
            " env:mustUnderstand=\"1\"",
            " env:mustUnderstand=\"perhaps\"",
        ]);
        let more = dice.pick(&[
            "",
            " xml:lang=\"&#x1F4A3;\"",
            " r:a=\"1\" env:a=\"2\" x:a=\"3\" mss:a=\"4\"",
            " xmlns:h=\"urn:h\" xmlns:a0=\"urn:a0\" h:x=\"&lt;&quot;'\" a0:y=\"\"",
        ]);
        let content = match dice.roll(6) {
            0 => String::new(),
            1 => "<r:RoamingHeaderEntry/>".to_owned(),
            2 => "<r:RoamingHeaderEntry><r:RE_SenderInfo Instant=\"2100-01-01T00:00:00Z\" TimeOut=\"60\"/>\
                  </r:RoamingHeaderEntry>"
                .to_owned(),
            3 => "<r:RoamingHeaderEntry><r:RE_SenderInfo Instant=\"-9999-01-01T00:00:00Z\" TimeOut=\"99999999999\"/>\
                  </r:RoamingHeaderEntry>"
                .to_owned(),
            4 => format!("<r:RoamingHeaderEntry><y xmlns=\"urn:{0}\">{0}</y></r:RoamingHeaderEntry>", "z".repeat(dice.size(&[1, 500], &[20_000]))),
            _ => {
                let depth = dice.size(&[5, 40, 58, 70], &[500]);
                format!("<r:RoamingHeaderEntry>{}{}</r:RoamingHeaderEntry>", "<q>".repeat(depth), "</q>".repeat(depth))
            }
        };
        blocks += &format!("<{name}{role}{mandatory}{more}>{content}</{name}>");
    }
    let header = format!(
        "<env:Header xmlns:r=\"http://uri.etsi.org/TS102207/v1.1.2#\" xmlns:x=\"urn:x\" \
         xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\">{blocks}</env:Header>"
    );
    // The echo is in faults too: every other request has one coming.
    let broken = if dice.roll(2) == 0 {
        "midsim-ap"
    } else {
        "wrong"
    };
    assert!(good.contains(ENV));
    good.replace("<env:Header/>", &header)
        .replace("midsim-ap", broken)
        .into()
}

/// MimeType, Encoding and content that do not go together, and some that do.
pub(super) fn data(good: &str, dice: &mut Dice) -> Vec<u8> {
    let mime = dice.pick(&[
        "application/octet-stream",
        "application/x-sha256",
        "application/x-sha1",
        "text/plain;gsm;gsm",
        "text/plain;;",
        "/",
        "",
    ]);
    let encoding = dice.pick(&["base64", "BASE64", "UTF-8", "hex", ""]);
    let length = dice.size(&[0, 1, 20, 31, 32, 33, 80, 200], &[500_000]);
    let octets: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
    let content = match dice.roll(4) {
        0 => "====".to_owned(),
        1 => format!(" \n{}\t", STANDARD.encode(&octets)),
        _ => STANDARD.encode(&octets),
    };
    good.replace("text/plain", mime)
        .replace("\"UTF-8\">", &format!("\"{encoding}\">"))
        .replace("Log in to Example Bank?", &content)
        .into()
}
