/// What a request leaves open: manifest over generation_config.json over OpenAI's.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDefaults {
    pub temperature: f32,
    pub top_p: f32,
    pub top_k: Option<usize>,
}

/// Validated generation parameters; `None` takes the served model's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationParams {
    /// None: the rest of the context.
    pub max_tokens: Option<usize>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, at most 1.
    pub top_p: Option<f32>,
    pub seed: Option<u64>,
    /// At most 4 strings, none empty.
    pub stop: Vec<String>,
    /// Choices for each prompt; at least 1.
    pub n: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CompletionPrompt {
    /// Template text: reserved strings are recognised.
    Text(String),
    Tokens(Vec<u32>),
}
