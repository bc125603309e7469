//! The admin token: a file that only its owner can read, beside the data.

use crate::types::Secret;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FILE: &str = "admin.token";

/// What to do when there is no token yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Make one (the hub, at its first start).
    Make,
    /// Say so (a tool that talks to a running hub).
    Fail,
}

/// The token of the hub that keeps its data in `data_dir`.
///
/// # Errors
/// Says which file cannot be read or written.
pub fn token(data_dir: &Path, missing: Missing) -> Result<Secret, String> {
    let path = data_dir.join(FILE);
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= 32 => return Ok(Secret::new(text.trim())),
        Ok(_) => return Err(at(&"holds no token; delete it and start again")),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound || missing == Missing::Fail => {
            return Err(at(&error));
        }
        Err(_) => {}
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|e| format!("no randomness: {e}"))?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| at(&e))?;
    writeln!(file, "{text}").map_err(|e| at(&e))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_readable_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(token(dir.path(), Missing::Fail).is_err());
        let made = token(dir.path(), Missing::Make).unwrap();
        assert!(token(dir.path(), Missing::Fail).unwrap() == made);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
