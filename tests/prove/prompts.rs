//! What the proofs ask: administrative prose, the same in every run, and requests for it.

use crate::settings::{MODEL, model_dir};
use crate::statistics::Random;
use guichet::text::{ChatMessage, ChatPrompt, ChatTemplate, Tokenizer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;

/// Endless prompts, each other than those before it.
pub struct Prompts {
    pub random: Random,
    counter: Arc<TokenCounter>,
}

/// Renders and tokenizes as the server does, apart from it.
pub struct TokenCounter {
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

const SENTENCES: [&str; 12] = [
    "Nous avons bien reçu votre demande {what} le {day} {month}, enregistrée sous le numéro {number}.",
    "L'examen de votre dossier montre que {few} pièces manquent encore, dont {what}.",
    "Wir bestätigen den Eingang Ihres Antrags vom {day}. {monat} zum Aktenzeichen {number}.",
    "Bitte reichen Sie die fehlenden Unterlagen bis zum {day}. {monat} beim Bürgerbüro {town} ein.",
    "Le montant de {amount} euros sera versé à {name} avant le {day} {month}.",
    "Die Gebühr beträgt {amount} Euro und ist von {name} innerhalb von {few} Wochen zu überweisen.",
    "Passé ce délai, votre demande {what} sera classée sans suite et vous devrez en déposer une nouvelle.",
    "Gegen diesen Bescheid kann {name} binnen {few} Monaten Widerspruch in {town} einlegen.",
    "Le guichet de {town} est ouvert du lundi au vendredi, de {few} h à {day} h.",
    "Madame {name} nous a informés le {day} {month} de son déménagement à {town}.",
    "Die zuständige Sachbearbeiterin ist Frau {name}, Zimmer {number}, Telefon {number}-{day}.",
    "Veuillez joindre une copie de votre bail, de {what} et du courrier n° {number}.",
];

const SLOTS: [(&str, &[&str]); 6] = [
    (
        "{what}",
        &[
            "d'aide au logement",
            "de carte d'identité",
            "de permis de construire",
            "de bourse",
            "d'inscription scolaire",
        ],
    ),
    (
        "{month}",
        &["janvier", "mars", "avril", "juin", "septembre", "décembre"],
    ),
    (
        "{monat}",
        &["Januar", "März", "Mai", "August", "Oktober", "November"],
    ),
    (
        "{town}",
        &[
            "Val-Clair",
            "Niederbrück",
            "Saint-Orens",
            "Altmühlheim",
            "Rochefeuille",
        ],
    ),
    (
        "{name}",
        &["Moreau", "Lambert", "Schäfer", "Köhler", "Besson", "Weiß"],
    ),
    ("{few}", &["deux", "drei", "quatre", "fünf", "six"]),
];

impl Prompts {
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            counter: Arc::new(TokenCounter::load()),
        }
    }

    pub fn counter(&self) -> Arc<TokenCounter> {
        Arc::clone(&self.counter)
    }

    /// Text that makes a chat of at least `num_tokens` tokens, and few more. Its first words
    /// are new, so that no two texts share a block of tokens.
    pub fn text(&mut self, num_tokens: usize) -> String {
        let mut text = format!("{:08x} :", self.random.next() as u32);
        let counter = self.counter();
        let is_short = |text: &str| counter.tokens_of_chat(text).len() < num_tokens;
        // No word is less than a token: what lies before is not counted again and again.
        let mut ends = Vec::new();
        while ends.len() < num_tokens && (text.len() < 2 * num_tokens || is_short(&text)) {
            for word in self.sentence().split_whitespace() {
                text.push(' ');
                text.push_str(word);
                ends.push(text.len());
            }
        }
        let end = ends.partition_point(|&end| is_short(&text[..end]));
        text.truncate(ends.get(end).copied().unwrap_or(text.len()));
        text
    }

    fn sentence(&mut self) -> String {
        let mut sentence = (*self.random.pick(&SENTENCES)).to_owned();
        for (slot, values) in SLOTS {
            let value = self.random.pick(values);
            sentence = sentence.replace(slot, value);
        }
        let day = self.random.within(1, 28).to_string();
        let number = self.random.within(1000, 9999).to_string();
        let amount = format!(
            "{},{:02}",
            self.random.within(10, 999),
            self.random.below(100)
        );
        sentence
            .replace("{day}", &day)
            .replace("{number}", &number)
            .replace("{amount}", &amount)
    }
}

impl TokenCounter {
    fn load() -> Self {
        let dir = model_dir();
        Self {
            tokenizer: Tokenizer::from_dir(&dir).unwrap(),
            template: ChatTemplate::from_dir(&dir)
                .unwrap()
                .expect("the model has a chat template"),
        }
    }

    /// The prompt that a chat of one message becomes.
    pub fn tokens_of_chat(&self, content: &str) -> Vec<u32> {
        let message = ChatMessage {
            role: "user".to_owned(),
            content: content.into(),
            ..ChatMessage::default()
        };
        let prompt = ChatPrompt {
            messages: vec![message],
            ..ChatPrompt::default()
        };
        let text = self
            .template
            .render(&self.tokenizer, &prompt, SystemTime::UNIX_EPOCH);
        self.tokenizer.encode_guarded(&text.unwrap()).unwrap()
    }
}

/// A greedy chat of one message, not streamed.
pub fn plain(content: &str, max_tokens: usize) -> Value {
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": content }],
        "max_tokens": max_tokens,
        "temperature": 0,
    })
}

pub fn streamed(content: &str, max_tokens: usize) -> Value {
    as_stream(plain(content, max_tokens))
}

/// The same request, streamed.
pub fn as_stream(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    body
}
