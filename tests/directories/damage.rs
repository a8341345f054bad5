use std::path::Path;

/// One way in which a directory is damaged.
pub struct Damage {
    pub name: &'static str,
    /// The fixture that is damaged.
    pub fixture: &'static str,
    /// Does it to a copy; `None` where that cannot be done here.
    pub apply: fn(&Path) -> Option<()>,
    /// What the sentence contains.
    pub words: &'static str,
    /// What that of `guichet serve` contains, where it is another.
    pub serve_words: Option<&'static str>,
}

impl Damage {
    pub fn serve_says(self, words: &'static str) -> Self {
        Self {
            serve_words: Some(words),
            ..self
        }
    }
}

/// A decoder with all weights in one file, f32.
pub fn llama(name: &'static str, words: &'static str, apply: fn(&Path) -> Option<()>) -> Damage {
    damage("tiny-llama", name, words, apply)
}

/// A decoder in two shards, its head tied to the embedding, bf16.
pub fn sharded(name: &'static str, words: &'static str, apply: fn(&Path) -> Option<()>) -> Damage {
    damage("tiny-llama-tied", name, words, apply)
}

/// An encoder for embeddings, with the files of sentence-transformers.
pub fn bert(name: &'static str, words: &'static str, apply: fn(&Path) -> Option<()>) -> Damage {
    damage("tiny-bert", name, words, apply)
}

/// An encoder that reranks.
pub fn reranker(name: &'static str, words: &'static str, apply: fn(&Path) -> Option<()>) -> Damage {
    damage("tiny-xlm-roberta", name, words, apply)
}

fn damage(
    fixture: &'static str,
    name: &'static str,
    words: &'static str,
    apply: fn(&Path) -> Option<()>,
) -> Damage {
    Damage {
        name,
        fixture,
        apply,
        words,
        serve_words: None,
    }
}
