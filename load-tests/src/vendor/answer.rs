//! The bytes of the mock vendor's answers. Events have a fixed length, so that
//! one is a copy and two numbers written over it.

use crate::prompt::write_digits;

/// The answer to anything but a POST.
pub const ALIVE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";

/// The answer to a request whose prompt has lost its end.
pub const INCOMPLETE: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 61\r\n\r\n\
    {\"error\":{\"message\":\"the prompt is cut\",\"type\":\"load_test\"}}\n";

/// The head of a stream. It leaves in one write with the first event.
pub const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\nx-request-id: req_0123456789abcdef\r\ntransfer-encoding: chunked\r\n\r\n";

/// Stands in every whole answer; one without it is not complete.
pub const ANSWER_MARK: &str = "The answer ends here.";

const EVENT: (&str, &str, &str) = (
    r#"data: {"id":"chatcmpl-Mock0123456789abcdefABCDEF","object":"chat.completion.chunk","created":1767225600,"model":"mock-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":"t="#,
    " n=",
    " so\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
);

const FINISH: &str = concat!(
    r#"data: {"id":"chatcmpl-Mock0123456789abcdefABCDEF","object":"chat.completion.chunk","created":1767225600,"model":"mock-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}"#,
    "\n\n"
);

const USAGE: &str = concat!(
    r#"data: {"id":"chatcmpl-Mock0123456789abcdefABCDEF","object":"chat.completion.chunk","created":1767225600,"model":"mock-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[],"usage":{"prompt_tokens":300,"completion_tokens":64,"total_tokens":364,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}"#,
    "\n\n"
);

const WHOLE: &str = r#"{"id":"chatcmpl-Mock0123456789abcdefABCDEF","object":"chat.completion","created":1767225600,"model":"mock-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":"A proxy that keeps the books reads each byte once. The answer ends here.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":300,"completion_tokens":64,"total_tokens":364,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default"}"#;

const STAMP_DIGITS: usize = 20;
const NUMBER_DIGITS: usize = 6;

/// Appends a whole answer of about 600 bytes of JSON.
pub fn whole(out: &mut Vec<u8>) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_0123456789abcdef\r\ncontent-length: ";
    out.extend_from_slice(format!("{head}{}\r\n\r\n{WHOLE}", WHOLE.len()).as_bytes());
}

/// Renders content events, each one HTTP chunk that says when it was sent (`t=`,
/// nanoseconds of the machine's clock) and which one it is (`n=`, from 0).
#[derive(Debug)]
pub struct Events {
    chunk: Vec<u8>,
    stamp_at: usize,
    number_at: usize,
}

impl Events {
    /// Prepares the chunk that all events are copies of.
    pub fn new() -> Self {
        let (before, between, after) = EVENT;
        let event = format!("{before}{:0STAMP_DIGITS$}{between}{:0NUMBER_DIGITS$}{after}", 0, 0);
        let mut chunk = Vec::new();
        push_chunk(&mut chunk, &event);
        let stamp_at = chunk.len() - event.len() - 2 + before.len();
        Self { stamp_at, number_at: stamp_at + STAMP_DIGITS + between.len(), chunk }
    }

    /// Appends event `number`, sent at `now_ns`.
    pub fn push(&mut self, out: &mut Vec<u8>, number: u32, now_ns: u64) {
        write_digits(self.chunk.get_mut(self.stamp_at..self.stamp_at + STAMP_DIGITS), now_ns);
        write_digits(self.chunk.get_mut(self.number_at..self.number_at + NUMBER_DIGITS), u64::from(number));
        out.extend_from_slice(&self.chunk);
    }
}

/// Appends what follows the last content event: why it ended, the usage where it was asked for, `[DONE]`.
pub fn push_end(out: &mut Vec<u8>, usage: bool) {
    push_chunk(out, FINISH);
    if usage {
        push_chunk(out, USAGE);
    }
    push_chunk(out, "data: [DONE]\n\n");
    out.extend_from_slice(b"0\r\n\r\n");
}

fn push_chunk(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::events::StreamCheck;
    use crate::http1::{Kind, Message, Sink};

    #[test]
    fn stream_is_what_the_generator_accepts() {
        let mut out = STREAM_HEAD.to_vec();
        let mut events = Events::new();
        for number in 0..3 {
            events.push(&mut out, number, 1_000 + u64::from(number));
        }
        push_end(&mut out, true);
        let mut message = Message::new(Kind::Response);
        let mut check = StreamCheck::default();
        check.arrived(5_000);
        assert_eq!(message.feed(&out, &mut check).unwrap(), out.len());
        assert!(message.is_done());
        check.finish(3).unwrap();
        assert_eq!(check.take_delays().collect::<Vec<_>>(), vec![4_000, 3_999, 3_998]);
    }

    #[test]
    fn fixed_answers_have_the_length_they_say() {
        struct Count(usize);
        impl Sink for Count {
            fn piece(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
                self.0 += bytes.len();
                Ok(())
            }
        }
        let mut full = Vec::new();
        whole(&mut full);
        for answer in [ALIVE, INCOMPLETE, &full] {
            let (mut message, mut count) = (Message::new(Kind::Response), Count(0));
            assert_eq!(message.feed(answer, &mut count).unwrap(), answer.len());
            assert!(message.is_done());
        }
        assert!(WHOLE.contains(ANSWER_MARK));
        assert!(serde_json::from_str::<serde_json::Value>(WHOLE).is_ok());
    }
}
