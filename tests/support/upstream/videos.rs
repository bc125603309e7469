//! Vendors that make videos, as far as the hub can notice: what their doors
//! refuse, and jobs that are done after so many looks. A job is seen with the
//! credential that made it and with no other.

use super::vendor::{CREDENTIALS, Refusal, check_headers};
use super::{Reply, Seen, Upstream};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A video, as far as anybody looks.
pub const MP4: &[u8] = b"\0\0\0\x18ftypmp42-a-video";
/// The models that the doors know.
pub const SORA: &str = "sora-2";
pub const VEO: &str = "veo-3.0-generate-001";
pub const SEEDANCE: &str = "doubao-seedance-1-0-pro-250528";
/// Where Seedance's videos are.
pub const ADDRESS: &str = "https://videos.test/1.mp4?signed=yes";
/// Tokens that Seedance counts for one.
pub const TOKENS: u64 = 103_818;

const SIZES: [&str; 4] = ["720x1280", "1280x720", "1024x1792", "1792x1024"];

/// What becomes of the jobs of a studio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Done after so many looks.
    Done(usize),
    /// Failed after so many looks.
    Fails(usize),
    /// They are never done.
    Endless,
}

struct Job {
    id: String,
    credential: String,
    seconds: String,
    size: String,
    source: Option<String>,
    looks: usize,
    deleted: bool,
}

#[derive(Default)]
struct Studio {
    jobs: Vec<Job>,
}

/// A vendor that makes videos in the words of all doors.
pub async fn studio(fate: Fate) -> Upstream {
    let jobs = Arc::new(Mutex::new(Studio::default()));
    Upstream::checked(check, move |seen| jobs.lock().unwrap().answer(seen, fate)).await
}

fn refuse(text: &str) -> Refusal {
    (text.to_owned(), Reply::error(400, "invalid_request_error", "invalid_value", text))
}

fn credential(seen: &Seen) -> &str {
    seen.header("x-goog-api-key").unwrap_or_else(|| seen.credential())
}

/// The fields of a form, files among them.
pub fn form(seen: &Seen) -> Option<Vec<(String, String)>> {
    let boundary = seen.header("content-type")?.split_once("boundary=")?.1.trim_matches('"').to_owned();
    let text = String::from_utf8_lossy(&seen.body).into_owned();
    let delimiter = format!("--{boundary}");
    let parts = text.split(delimiter.as_str()).filter_map(|part| {
        let (head, value) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
        let name = head.split_once("name=\"")?.1.split('"').next()?;
        Some((name.to_owned(), value.trim_end_matches("\r\n").to_owned()))
    });
    Some(parts.collect())
}

fn fields(seen: &Seen) -> Vec<(String, Value)> {
    match form(seen) {
        Some(fields) => fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
        None => seen.json().as_object().cloned().unwrap_or_default().into_iter().collect(),
    }
}

/// Refuses as the vendors of these doors would.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    if !CREDENTIALS.contains(&credential(seen)) {
        return Err(refuse("a bad key"));
    }
    if seen.method != "POST" {
        return if seen.body.is_empty() { Ok(()) } else { Err(refuse("a question has no body")) };
    }
    let known: &[&str] = match seen.path.as_str() {
        "/v1/videos" => &["model", "prompt", "seconds", "size", "input_reference"],
        path if path.ends_with("/remix") => &["prompt"],
        path if path.ends_with(":predictLongRunning") => &["instances", "parameters"],
        "/api/v3/contents/generations/tasks" => {
            &["model", "content", "resolution", "ratio", "duration", "seed", "watermark", "camera_fixed"]
        }
        path => return Err(refuse(&format!("no door {path}"))),
    };
    let sent = fields(seen);
    if let Some((name, _)) = sent.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(refuse(&format!("Unknown parameter: '{name}'.")));
    }
    let text = |name: &str| sent.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match seen.path.as_str() {
        "/v1/videos" => {
            let seconds = text("seconds").is_none_or(|s| [json!("4"), json!("8"), json!("12")].contains(&s));
            let size = text("size").is_none_or(|size| SIZES.iter().any(|known| size == *known));
            let model = text("model").is_some_and(|model| model == SORA || model == "sora-2-pro");
            if seconds && size && model && text("prompt").is_some() {
                Ok(())
            } else {
                Err(refuse("bad values"))
            }
        }
        path if path.ends_with("/remix") => Ok(()),
        path if path.ends_with(":predictLongRunning") => check_veo(&seen.json()),
        _ => {
            let body = seen.json();
            let good = body["model"] == SEEDANCE
                && body["content"][0]["type"] == "text"
                && (body["duration"].is_null()
                    || body["duration"].as_u64().is_some_and(|n| (2..=12).contains(&n)))
                && (body["ratio"].is_null() || body["ratio"].as_str().is_some_and(|text| text.contains(':')));
            if good { Ok(()) } else { Err(refuse("bad values")) }
        }
    }
}

fn check_veo(body: &Value) -> Result<(), Refusal> {
    let only = |value: &Value, known: &[&str]| {
        value.as_object().is_some_and(|members| members.keys().all(|name| known.contains(&name.as_str())))
    };
    let parameters = &body["parameters"];
    let known = ["aspectRatio", "resolution", "durationSeconds", "negativePrompt", "seed"];
    let ratio = parameters["aspectRatio"].is_null()
        || ["16:9", "9:16"].iter().any(|ratio| parameters["aspectRatio"] == *ratio);
    let seconds = parameters["durationSeconds"].is_null() || parameters["durationSeconds"].is_u64();
    let good = only(parameters, &known)
        && only(&body["instances"][0], &["prompt", "image"])
        && body["instances"][0]["prompt"].is_string();
    if good && ratio && seconds { Ok(()) } else { Err(refuse("INVALID_ARGUMENT")) }
}

impl Studio {
    fn answer(&mut self, seen: &Seen, fate: Fate) -> Reply {
        let path = seen.path.split('?').next().unwrap_or_default();
        let key = credential(seen).to_owned();
        if seen.method == "POST" {
            return self.take_on(seen, path, key);
        }
        if let Some(reply) = files(path) {
            return reply;
        }
        let rest = path.strip_suffix("/content").unwrap_or(path);
        let name = rest.rsplit('/').next().unwrap_or_default();
        let mine = |job: &&mut Job| job.id == name && job.credential == key && !job.deleted;
        let Some(job) = self.jobs.iter_mut().find(mine) else {
            return Reply::error(404, "invalid_request_error", "not_found", "Video not found");
        };
        if seen.method == "DELETE" {
            job.deleted = true;
            let gone = json!({ "id": job.id, "object": "video.deleted", "deleted": true });
            return Reply::json(200, &gone);
        }
        if path.ends_with("/content") {
            return match (fate, seen.path.ends_with("variant=thumbnail")) {
                (Fate::Done(_), true) => Reply::body(200, "image/webp", "RIFF"),
                (Fate::Done(after), false) if job.looks >= after => Reply::body(200, "video/mp4", MP4),
                _ => Reply::error(400, "invalid_request_error", "not_ready", "Video is not ready yet"),
            };
        }
        job.looks += 1;
        let state = match fate {
            Fate::Done(after) if job.looks >= after => "completed",
            Fate::Fails(after) if job.looks >= after => "failed",
            _ => "in_progress",
        };
        Reply::json(200, &job.shown(path, state))
    }

    fn take_on(&mut self, seen: &Seen, path: &str, credential: String) -> Reply {
        let sent = fields(seen);
        let text = |name: &str, usual: &str| {
            let found = sent.iter().find(|(known, _)| known == name);
            found.map_or(usual.to_owned(), |(_, value)| value.as_str().unwrap_or_default().to_owned())
        };
        let source = path.strip_suffix("/remix").and_then(|path| path.rsplit('/').next()).map(str::to_owned);
        let visible = |job: &Job| Some(&job.id) == source.as_ref() && job.credential == credential;
        if source.is_some() && !self.jobs.iter().any(visible) {
            return Reply::error(404, "invalid_request_error", "not_found", "Video not found");
        }
        let of = self.jobs.iter().find(|job| visible(job));
        let (seconds, size) = match of {
            Some(of) => (of.seconds.clone(), of.size.clone()),
            None => (text("seconds", "4"), text("size", "720x1280")),
        };
        let id = format!("job{}", self.jobs.len() + 1);
        let job = Job { id, credential, seconds, size, source, looks: 0, deleted: false };
        let shown = job.shown(path, "queued");
        self.jobs.push(job);
        Reply::json(200, &shown)
    }
}

/// Veo's files, which are given out by another path of the same host.
fn files(path: &str) -> Option<Reply> {
    match path {
        "/v1beta/files/f1:download" => {
            Some(Reply::body(302, "text/html", "").header("location", "/download/v1beta/files/f1"))
        }
        "/download/v1beta/files/f1" => Some(Reply::body(200, "video/mp4", MP4)),
        _ => None,
    }
}

impl Job {
    fn shown(&self, path: &str, state: &str) -> Value {
        let id = &self.id;
        if path.starts_with("/v1beta") {
            let name = format!("models/{VEO}/operations/{id}");
            let uri = "https://generativelanguage.googleapis.com/v1beta/files/f1:download?alt=media";
            return match state {
                "completed" => json!({ "name": name, "done": true, "response": {
                    "@type": "type.googleapis.com/x", "generateVideoResponse": {
                        "generatedSamples": [{ "video": { "uri": uri } }] } } }),
                "failed" => json!({ "name": name, "done": true, "response": { "generateVideoResponse": {
                    "raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["It was filtered."] } } }),
                _ => json!({ "name": name }),
            };
        }
        if path.starts_with("/api/v3") {
            return match state {
                "queued" => json!({ "id": id }),
                "completed" => json!({
                    "id": id, "model": SEEDANCE, "status": "succeeded", "error": null, "created_at": 1_767_225_600,
                    "updated_at": 1_767_225_660, "content": { "video_url": ADDRESS }, "duration": 5, "ratio": "16:9",
                    "resolution": "720p", "usage": { "completion_tokens": TOKENS, "total_tokens": TOKENS },
                }),
                "failed" => json!({ "id": id, "status": "failed", "error": {
                    "code": "OutputVideoSensitiveContentDetected", "message": "It was sensitive." } }),
                _ => json!({ "id": id, "status": "running" }),
            };
        }
        let error = json!({ "code": "moderation_blocked", "message": "Your request was blocked." });
        json!({
            "id": id, "object": "video", "created_at": 1_767_225_600, "status": state, "model": SORA,
            "progress": if state == "completed" { 100 } else { 0 }, "seconds": self.seconds, "size": self.size,
            "completed_at": null, "expires_at": null, "remixed_from_video_id": self.source,
            "error": if state == "failed" { error } else { Value::Null }, "quality": "standard",
        })
    }
}
