//! Messages as RFC 5322 and MIME have them.

use crate::document::error::DocumentError;
use crate::document::format::Format;
use crate::document::html;
use crate::document::model::BlockKind;
use crate::document::text::paragraphs;
use crate::document::writer::Writer;
use mail_parser::{Address, Message, MessageParser, MimeHeaders as _, PartType};

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
            _ => writer.attach(name, part.contents())?,
        }
    }
    Ok(())
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
    fn a_letter_that_mentions_its_sender_is_no_mail() {
        assert!(!super::super::looks_like_mail("Madame,\nFrom: x\nTo: y\n"));
    }
}
