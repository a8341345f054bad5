//! Reads server-sent events out of bytes that arrive in pieces.

/// Collects bytes until an event is complete.
#[derive(Debug, Default)]
pub struct EventReader {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
}

impl EventReader {
    /// The data of the events that these bytes complete. Names, ids and comments are skipped.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.end_line(line.strip_suffix(b"\r").unwrap_or(&line), &mut events);
            } else {
                self.line.push(byte);
            }
        }
        events
    }

    fn end_line(&mut self, line: &[u8], events: &mut Vec<Vec<u8>>) {
        if line.is_empty() {
            events.extend(self.data.take());
        } else if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = ": hello\n\ndata: {\"a\":\"Straße\"}\n\ndata:x\r\ndata: y\r\n\r\nevent: e\ndata: [DONE]\n\n";

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_bytes_arrive(cuts in prop::collection::vec(0..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut reader = EventReader::default();
            let events: Vec<_> =
                cuts.windows(2).flat_map(|cut| reader.push(&STREAM.as_bytes()[cut[0]..cut[1]])).collect();
            prop_assert_eq!(events, ["{\"a\":\"Straße\"}", "x\ny", "[DONE]"].map(|e| e.as_bytes().to_vec()));
        }
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_reported() {
        assert_eq!(
            EventReader::default().push(b"data: half\n"),
            Vec::<Vec<u8>>::new()
        );
    }
}
