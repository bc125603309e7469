//! Real clients that order videos.

use super::super::sdk::{is_content, node, python};
use super::*;

fn with_python(wants: &str) -> std::process::Command {
    let mut command = python("tests/sdk/python/videos_client.py");
    command.env("HUB_WANTS", wants);
    command
}

/// The model `talk` makes no videos.
fn talking(conf: Conf) -> Conf {
    conf.model("talk", &["poe/Claude"], &[])
}

fn poe(upstream: &Upstream) -> Provider {
    Provider::of("poe", upstream).vendor("poe")
}

#[tokio::test]
async fn openais_python_client_is_content_with_openai() {
    let upstream = studio(Fate::Done(2)).await;
    let conf =
        Conf::of([Provider::of("mock", &upstream), poe(&upstream)]).model("film", &["mock/sora-2"], &[]);
    is_content(with_python("remix,delete"), &talking(conf)).await;
}

#[tokio::test]
async fn openais_python_client_is_content_with_veo() {
    let upstream = studio(Fate::Done(2)).await;
    let model = format!("google/{}", videos::VEO);
    let conf =
        Conf::of([Provider::gemini("google", &upstream), poe(&upstream)]).model("film", &[&model], &[]);
    is_content(with_python(""), &talking(conf)).await;
}

#[tokio::test]
async fn openais_python_client_is_content_with_seedance() {
    let upstream = studio(Fate::Done(2)).await;
    let model = format!("door/{}", videos::SEEDANCE);
    let door = Provider::new("door", &format!("{}/api/v3", upstream.root_url())).vendor("doubao");
    let conf = Conf::of([door, poe(&upstream)]).model("film", &[&model], &[]);
    is_content(with_python("delete"), &talking(conf)).await;
}

#[tokio::test]
async fn openais_node_client_is_content() {
    let upstream = studio(Fate::Done(2)).await;
    is_content(node("tests/sdk/node/videos_client.mjs", "openai"), &looking(&upstream)).await;
}
