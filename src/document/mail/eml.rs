//! Messages as RFC 5322 and MIME have them.

use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::html;
use crate::document::model::BlockKind;
use crate::document::text::paragraphs;
use crate::document::writer::Writer;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    Address, Encoding, Message, MessageParser, MessagePart, MimeHeaders as _, PartType,
};
use std::borrow::Cow;

pub fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let message = MessageParser::default()
        .parse(bytes)
        .ok_or(DocumentError::Malformed {
            format: Format::Eml,
            reason: "it is no message".to_owned(),
        })?;
    read_message(&message, writer)
}

fn read_message(message: &Message<'_>, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    writer.title = message.subject().map(str::to_owned);
    let mut head = Vec::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            head.push(format!("{name}: {value}"));
        }
    };
    field("From", message.from().map(addresses));
    field("To", message.to().map(addresses));
    field("Cc", message.cc().map(addresses));
    field("Reply-To", message.reply_to().map(addresses));
    field("Date", message.date().map(|date| date.to_rfc3339()));
    field("Subject", message.subject().map(str::to_owned));
    writer.block(BlockKind::MessageHeader, &head.join("\n"))?;
    // Of two versions of one text, mail programs show the one in HTML.
    for id in &message.html_body {
        match message.part(*id).map(|part| &part.body) {
            Some(PartType::Html(text)) => html::read_text(text, writer)?,
            Some(PartType::Text(text)) => paragraphs(text, writer)?,
            _ => {}
        }
    }
    for part in message.attachments() {
        let name = part.attachment_name().unwrap_or_default();
        match &part.body {
            PartType::Message(inner) => {
                let name = if name.is_empty() {
                    inner.subject().unwrap_or_default()
                } else {
                    name
                };
                writer.attach(name, inner.raw_message())?;
            }
            _ => writer.attach(name, &contents(message, part))?,
        }
    }
    Ok(())
}

/// The bytes of an attachment. Text that does not name its encoding has been decoded for us, not
/// always rightly; then it is taken as it was sent.
fn contents<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    let decoded = part.contents();
    let is_lossy =
        matches!(&part.body, PartType::Text(text) if text.contains(char::REPLACEMENT_CHARACTER));
    let range = part.offset_body as usize..part.offset_end as usize;
    let sent = message.raw_message().get(range).filter(|_| is_lossy);
    let bytes = sent.and_then(|sent| match part.encoding {
        Encoding::Base64 => base64_decode(sent),
        Encoding::QuotedPrintable => quoted_printable_decode(sent),
        Encoding::None => Some(sent.to_vec()),
    });
    bytes.map_or(Cow::Borrowed(decoded), Cow::Owned)
}

fn addresses(address: &Address<'_>) -> String {
    let all: Vec<String> = address
        .iter()
        .map(|one| match (&one.name, &one.address) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (Some(only), None) | (None, Some(only)) => only.to_string(),
            (None, None) => String::new(),
        })
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::document::{BlockKind, Format, LeftOutKind, ParseLimits, parse};

    const MAIL: &str = "From: =?UTF-8?Q?Mairie_d=27=C3=89vry?= <mairie@example.fr>\r\n\
        To: Anna <anna@example.de>\r\nSubject: =?ISO-8859-1?Q?D=E9cision?=\r\nDate: Mon, 3 Aug 2026 10:00:00 +0200\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Ci-joint la d=E9cision.\r\n\
        --b\r\nContent-Type: text/plain; name=\"note.txt\"\r\nContent-Disposition: attachment; filename=\"note.txt\"\r\n\r\n\
        Texte de la note\r\n\
        --b\r\nContent-Type: image/png; name=\"scan.png\"\r\nContent-Disposition: attachment; filename=\"scan.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        iVBORw0KGgo=\r\n--b--\r\n";

    #[test]
    fn a_message_is_read_with_its_head_and_its_attachments() {
        let document = parse(MAIL.as_bytes(), &ParseLimits::default()).unwrap();
        assert_eq!(document.format, Format::Eml);
        assert_eq!(
            document.text,
            "From: Mairie d'Évry <mairie@example.fr>\nTo: Anna <anna@example.de>\nDate: 2026-08-03T10:00:00+02:00\n\
             Subject: Décision\n\nCi-joint la décision.\n\nnote.txt\n\nTexte de la note"
        );
        assert_eq!(document.blocks[0].kind, BlockKind::MessageHeader);
        let note = &document.attachments[0];
        assert_eq!(
            (note.format, document.slice(note.range.as_ref().unwrap())),
            (Some(Format::Text), "Texte de la note")
        );
        assert_eq!(document.pages[1].name.as_deref(), Some("note.txt"));
        assert_eq!(document.left_out[0].what, LeftOutKind::Attachment);
        assert!(
            document.left_out[0].note.contains("scan.png"),
            "{:?}",
            document.left_out
        );
    }

    #[test]
    fn attachments_of_attachments_are_found_where_they_say() {
        let inner = MAIL
            .replace("boundary=b", "boundary=c")
            .replace("--b", "--c");
        let outer = format!(
            "From: a@b.fr\r\nTo: c@d.fr\r\nSubject: Tr\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nVoir ci-joint.\r\n\
             --b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"m.eml\"\r\n\r\n{inner}\r\n--b--\r\n"
        );
        let document = parse(outer.as_bytes(), &ParseLimits::default()).unwrap();
        let found = document.attachments.iter().map(|attachment| {
            let text = attachment.range.as_ref().map(|range| document.slice(range));
            (
                attachment.name.as_str(),
                text.and_then(|text| text.lines().next()),
            )
        });
        let found: Vec<_> = found.collect();
        assert!(
            found.contains(&("m.eml / note.txt", Some("Texte de la note"))),
            "{found:?}"
        );
        assert!(
            found.contains(&("m.eml", Some("From: Mairie d'Évry <mairie@example.fr>"))),
            "{found:?}"
        );
        assert!(document.is_consistent());
    }

    #[test]
    fn a_letter_that_mentions_its_sender_is_no_mail() {
        assert!(!super::super::looks_like_mail("Madame,\nFrom: x\nTo: y\n"));
    }
}
