use super::CliError;
use crate::tenant::ApiKey;
use clap::{Args, Subcommand};

/// Make API keys
#[derive(Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key: shows it once, and prints the lines for the configuration
    ///
    /// The server keeps only the hash, so a key that is lost cannot be shown again. As
    /// soon as one key is configured, every request but the health probes needs one.
    Hash {
        /// Whose key it is
        #[arg(long, default_value = "default")]
        name: String,
    },
}

impl KeysArgs {
    pub fn run(self) -> Result<(), CliError> {
        let KeysCommand::Hash { name } = self.command;
        let key = ApiKey::generate()?;
        let hash = key.hash();
        // Serialized, so that any name is valid TOML.
        let quoted = toml::Value::String(name);
        println!("The key, shown this once. Give it to its user:\n");
        println!("    {}\n", key.reveal());
        println!("Its hash. Put these lines into the configuration:\n");
        println!("    [[keys]]\n    name = {quoted}\n    hash = \"{hash}\"");
        Ok(())
    }
}
