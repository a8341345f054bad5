//! Models that `guichet import` made of GGUF files, and what `transformers` computes from the same
//! directories. `scripts/prove-import` makes both and runs this.

use crate::golden::{Bench, read_golden};
use guichet::kernels::{KernelSet, WeightType};
use std::path::Path;

#[test]
#[ignore = "scripts/prove-import fetches the models"]
fn greedy_tokens_of_imported_models_are_those_of_transformers() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prove-import/models");
    for name in ["gemma3-270m", "smollm2-135m"] {
        let golden = read_golden(&models.join(format!("{name}-greedy.json")));
        assert_eq!(golden.prompts.len(), 8);
        let bench = Bench::load(&models.join(name), KernelSet::best(), WeightType::F32);
        for prompt in &golden.prompts {
            let (ids, _) = bench.greedy(&prompt.ids, prompt.greedy.ids.len());
            assert_eq!(prompt.greedy.ids.len(), 64);
            assert_eq!(
                ids, prompt.greedy.ids,
                "{name}: {:?}, whose least margin is {}",
                prompt.text, prompt.greedy.margin
            );
        }
        println!("{name}: 8 prompts, 64 greedy tokens each: all equal");
    }
}
