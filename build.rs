//! Compiles the CUDA kernels where the feature `cuda` asks for them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const KERNELS: &str = "src/kernels/cuda";

/// Machine code for Hopper, and PTX from which the driver makes code for every other card from
/// compute capability 8.0 on (A100, L40S, B200, …).
const TARGETS: [&str; 2] = [
    "arch=compute_80,code=compute_80",
    "arch=compute_90,code=[compute_90,sm_90]",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={KERNELS}");
    println!("cargo::rerun-if-env-changed=CUDA_HOME");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let nvcc = nvcc();
    let mut sources: Vec<PathBuf> = std::fs::read_dir(KERNELS)
        .expect("the kernels are part of the source")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "cu"))
        .collect();
    sources.sort();
    let mut table = String::from("pub const MODULES: &[&[u8]] = &[\n");
    let running: Vec<_> = sources
        .iter()
        .map(|source| (source, compile(&nvcc, source, &out)))
        .collect();
    for (source, (mut process, fatbin)) in running {
        let status = process.wait().expect("nvcc can be waited for");
        assert!(
            status.success(),
            "nvcc does not compile {}",
            source.display()
        );
        table += &format!("    include_bytes!({:?}),\n", fatbin.display().to_string());
    }
    table += "];\n";
    std::fs::write(out.join("modules.rs"), table).expect("OUT_DIR can be written");
}

/// That of `CUDA_HOME`, else of the search path.
fn nvcc() -> PathBuf {
    let name = format!("nvcc{}", env::consts::EXE_SUFFIX);
    match env::var_os("CUDA_HOME") {
        Some(home) => Path::new(&home).join("bin").join(name),
        None => PathBuf::from(name),
    }
}

fn compile(nvcc: &Path, source: &Path, out: &Path) -> (std::process::Child, PathBuf) {
    let name = source.file_stem().expect("a source has a name");
    let fatbin = out.join(name).with_extension("fatbin");
    let mut command = Command::new(nvcc);
    command.args(["-fatbin", "-O3", "-std=c++17", "-o"]);
    command.arg(&fatbin).arg(source);
    for target in TARGETS {
        command.args(["-gencode", target]);
    }
    let process = command.spawn().unwrap_or_else(|error| {
        panic!(
            "the feature `cuda` needs nvcc, and {} does not start ({error}); `make cuda` sets one up, see docs/gpu.md",
            nvcc.display()
        )
    });
    (process, fatbin)
}
