use crate::golden::fixtures;
use guichet::encoding::{TextTokenizer, normalized, sigmoid};
use guichet::kernels::{KernelSet, Kernels, KvType, ThreadPool, WeightType};
use guichet::model::{
    AnswerTokens, Checkpoint, DecoderConfig, DecoderEmbedder, DecoderOutput, Encoder,
    EncoderConfig, EncoderInput, EncoderLimits, ModelError, Pooling, Precision, SentenceConfig,
    VectorOptions,
};
use guichet::text::{Cut, PairTokenizer, RelevanceTokenizer};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What `scripts/make_encoder_fixtures.py` wrote of one text, or of a query and a text.
#[derive(Deserialize)]
pub struct Golden {
    /// What stands before the text.
    #[serde(default)]
    prompt: String,
    pub query: Option<String>,
    pub text: String,
    #[serde(default)]
    pub ids: Vec<u32>,
    #[serde(default)]
    vector: Vec<f32>,
    score: Option<f32>,
}

const CHECKPOINTS: [&str; 8] = [
    "tiny-bert",
    "tiny-xlm-roberta",
    "tiny-camembert",
    "tiny-modernbert",
    "tiny-modernbert-reranker",
    "tiny-qwen3-embedding",
    "tiny-embeddinggemma",
    RERANKER,
];

/// Whose directory does not say that it answers.
pub const RERANKER: &str = "tiny-qwen3-reranker";

const LIMITS: EncoderLimits = EncoderLimits {
    max_rows: 6000,
    max_texts: 16,
};

enum Model {
    Encoder(Box<Encoder>),
    Decoder(Box<DecoderEmbedder>),
}

impl Model {
    fn forward(&self, texts: &[EncoderInput<'_>]) -> Result<Vec<Vec<f32>>, ModelError> {
        match self {
            Self::Encoder(encoder) => encoder.forward(texts),
            Self::Decoder(decoder) => decoder.forward(texts),
        }
    }
}

pub fn golden(name: &str) -> (PathBuf, Vec<Golden>) {
    let dir = fixtures().join(name);
    let text = std::fs::read_to_string(dir.join("golden.json")).unwrap();
    (dir, serde_json::from_str(&text).unwrap())
}

pub fn tokenizer(dir: &Path) -> TextTokenizer {
    match dir.ends_with(RERANKER) {
        true => TextTokenizer::Questions(Box::new(RelevanceTokenizer::from_dir(dir).unwrap())),
        false => TextTokenizer::Texts(Box::new(PairTokenizer::from_dir(dir).unwrap())),
    }
}

fn load(dir: &Path, set: KernelSet, weight_type: WeightType) -> Model {
    let sentence = SentenceConfig::from_dir(dir).unwrap();
    let vector = VectorOptions {
        pooling: sentence.pooling.unwrap_or(Pooling::Mean),
        projections: &sentence.projections,
    };
    let checkpoint = Checkpoint::open(dir).unwrap();
    let kernels = Kernels::new(set, ThreadPool::new(2).unwrap());
    if EncoderConfig::is_encoder(dir) {
        let config = EncoderConfig::from_dir(dir).unwrap();
        let encoder = Encoder::load(config, &checkpoint, kernels, weight_type, vector, LIMITS);
        return Model::Encoder(Box::new(encoder.unwrap()));
    }
    let config = DecoderConfig::from_dir(dir).unwrap();
    let wanted = match tokenizer(dir) {
        TextTokenizer::Texts(_) => DecoderOutput::Vector(vector),
        TextTokenizer::Questions(tokenizer) => {
            let (yes, no) = tokenizer.answers();
            DecoderOutput::Answer(AnswerTokens { yes, no })
        }
    };
    let kv_type = match weight_type {
        WeightType::F32 => KvType::F32,
        _ => KvType::Bf16,
    };
    let types = (Precision::from(weight_type), kv_type);
    let decoder = DecoderEmbedder::load(config, &checkpoint, kernels, types, wanted, LIMITS);
    Model::Decoder(Box::new(decoder.unwrap()))
}

fn supported() -> impl Iterator<Item = KernelSet> {
    KernelSet::ALL.into_iter().filter(|set| set.is_supported())
}

impl Golden {
    fn encode(&self, tokenizer: &TextTokenizer) -> (Vec<u32>, usize) {
        let text = format!("{}{}", self.prompt, self.text);
        let (first, second) = match &self.query {
            Some(query) => (query, Some(&*self.text)),
            None => (&text, None),
        };
        let found = tokenizer.encode(first, second, Cut::Nothing).unwrap();
        (found.ids, found.second)
    }
}

/// Of each text alone, in order.
fn rows(model: &Model, texts: &[(Vec<u32>, usize)]) -> Vec<Vec<f32>> {
    texts
        .iter()
        .map(|(ids, second)| {
            let input = EncoderInput {
                token_ids: ids,
                second: *second,
            };
            model.forward(&[input]).unwrap().remove(0)
        })
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn token_ids_are_those_of_transformers_and_separators_of_callers_are_text() {
    for name in CHECKPOINTS {
        let (dir, golden) = golden(name);
        let tokenizer = tokenizer(&dir);
        let mut num_compared = 0;
        for text in &golden {
            let (ids, _) = text.encode(&tokenizer);
            if text.ids.is_empty() {
                let inside = &ids[1..ids.len() - 1];
                assert!(!inside.iter().any(|id| [2, 3].contains(id)), "{ids:?}");
            } else {
                assert_eq!(ids, text.ids, "{}", text.text);
                num_compared += 1;
            }
        }
        assert!(num_compared >= 10);
    }
}

#[test]
fn f32_vectors_and_scores_are_those_of_transformers_with_every_kernel_set() {
    for name in CHECKPOINTS {
        let (dir, golden) = golden(name);
        let tokenizer = tokenizer(&dir);
        let golden: Vec<_> = golden.iter().filter(|text| !text.ids.is_empty()).collect();
        let texts: Vec<_> = golden.iter().map(|text| text.encode(&tokenizer)).collect();
        for set in supported() {
            let model = load(&dir, set, WeightType::F32);
            for (got, expected) in rows(&model, &texts).into_iter().zip(&golden) {
                if let Some(score) = expected.score {
                    assert!((got[0] - score).abs() < 1e-4, "{set}: {} {score}", got[0]);
                    assert!((0.0..=1.0).contains(&sigmoid(score)));
                } else {
                    let got = normalized(got, expected.vector.len());
                    for (got, expected) in got.iter().zip(&expected.vector) {
                        assert!((got - expected).abs() < 1e-5, "{set}: {got} {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn narrower_weights_turn_vectors_by_little() {
    let (dir, golden) = golden("tiny-bert");
    let tokenizer = tokenizer(&dir);
    let golden: Vec<_> = golden.iter().filter(|text| !text.ids.is_empty()).collect();
    let texts: Vec<_> = golden.iter().map(|text| text.encode(&tokenizer)).collect();
    for set in supported() {
        for (weight_type, least) in [
            (WeightType::Bf16, 0.9995),
            (WeightType::Int8, 0.998),
            (WeightType::Int4, 0.8),
        ] {
            let model = load(&dir, set, weight_type);
            for (got, expected) in rows(&model, &texts).iter().zip(&golden) {
                let cosine = cosine(got, &expected.vector);
                assert!(cosine > least, "{set} {weight_type:?}: {cosine}");
                assert!(cosine < 1.0 - 1e-9, "{set} {weight_type:?} equals f32");
            }
        }
    }
}

#[test]
fn what_a_text_comes_to_does_not_depend_on_those_beside_it() {
    for name in CHECKPOINTS {
        let (dir, golden) = golden(name);
        let tokenizer = tokenizer(&dir);
        let texts: Vec<_> = golden.iter().map(|text| text.encode(&tokenizer)).collect();
        for set in supported() {
            for weight_type in [WeightType::F32, WeightType::Bf16, WeightType::Int8] {
                let model = load(&dir, set, weight_type);
                let alone = rows(&model, &texts);
                let batch: Vec<_> = texts
                    .iter()
                    .map(|(ids, second)| EncoderInput {
                        token_ids: ids,
                        second: *second,
                    })
                    .collect();
                let together = model.forward(&batch).unwrap();
                let bits = |rows: &[Vec<f32>]| -> Vec<u32> {
                    rows.iter().flatten().map(|x| x.to_bits()).collect()
                };
                assert_eq!(
                    bits(&alone),
                    bits(&together),
                    "{name} {set} {weight_type:?}"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_no_panic() {
    for (name, max_positions) in [("tiny-bert", 512), ("tiny-qwen3-embedding", 1024)] {
        let dir = fixtures().join(name);
        let model = load(&dir, KernelSet::Portable, WeightType::F32);
        let long = vec![1; max_positions + 1];
        let texts = |ids| EncoderInput {
            token_ids: ids,
            second: 0,
        };
        for batch in [
            vec![],
            vec![texts(&[])],
            vec![texts(&long)],
            vec![texts(&[1]); 17],
            vec![texts(&long[..400]); 16],
            vec![texts(&[100_000])],
        ] {
            assert!(model.forward(&batch).is_err(), "{name}");
        }
    }
}

#[test]
fn a_checkpoint_of_the_bare_model_is_the_same_encoder() {
    let (from, golden) = golden("tiny-modernbert");
    let dir = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(from.join("config.json")).unwrap();
    let config = config.replace("ModernBertForMaskedLM", "ModernBertModel");
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let bare = tensors.iter().filter_map(|(name, tensor)| {
        let bare = name.strip_prefix("model.")?;
        Some((bare.to_owned(), tensor))
    });
    let path = dir.path().join("model.safetensors");
    safetensors::serialize_to_file(bare, None, &path).unwrap();
    let tokenizer = tokenizer(&from);
    let texts: Vec<_> = golden.iter().map(|text| text.encode(&tokenizer)).collect();
    let rows = |dir: &Path| rows(&load(dir, KernelSet::Portable, WeightType::F32), &texts);
    assert_eq!(rows(dir.path()), rows(&from));
}

#[test]
fn the_end_or_the_beginning_is_cut_off_only_where_that_is_asked_for() {
    let (dir, golden) = golden("tiny-xlm-roberta");
    let tokenizer = tokenizer(&dir);
    let long = golden.iter().max_by_key(|text| text.ids.len()).unwrap();
    let encode = |cut| {
        let query = long.query.as_deref().unwrap();
        tokenizer.encode(query, Some(&long.text), cut).unwrap()
    };
    let whole = encode(Cut::Nothing);
    assert_eq!(
        (whole.ids.len(), whole.num_uncut),
        (long.ids.len(), long.ids.len())
    );
    let cut = encode(Cut::ToTotal(50));
    assert_eq!((cut.ids.len(), cut.num_uncut), (50, long.ids.len()));
    assert_eq!(cut.ids[..49], whole.ids[..49]);
    let beginning = encode(Cut::BeginningToTotal(50));
    assert_eq!(beginning.ids.len(), 50);
    assert_eq!(beginning.ids[40..], whole.ids[whole.ids.len() - 10..]);
    let query_len = tokenizer
        .encode(long.query.as_deref().unwrap(), Some(""), Cut::Nothing)
        .unwrap();
    let second = encode(Cut::ToSecond(7));
    assert_eq!(second.ids.len(), query_len.ids.len() + 7);
    // More than there is cuts nothing.
    assert_eq!(encode(Cut::ToTotal(10_000)), whole);
}

#[test]
fn the_files_of_sentence_transformers_are_read() {
    let sentence = SentenceConfig::from_dir(&fixtures().join("tiny-bert")).unwrap();
    assert_eq!(sentence.pooling, Some(Pooling::Mean));
    assert_eq!(sentence.max_seq_length, Some(384));
    assert_eq!(sentence.prompts["query"], "query: ");
}
