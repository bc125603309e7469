//! Both ways through a translated stream: by owned events, and by borrowed deltas where
//! there are any. They have to say the same.

use super::dialects::Frame;
use aigne_hub::chat::{Event, StreamIn, StreamOut};
use aigne_hub::error::Result;

/// One thing that a reader gave for one frame, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub events: Vec<Event>,
    /// How many of the frames were borrowed.
    pub borrowed: usize,
}

/// Reads every frame whole.
pub fn owned(reader: &mut dyn StreamIn, frames: &[Frame]) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for (name, data) in frames {
        reader.feed(name.as_deref(), data, &mut events)?;
    }
    reader.end(&mut events)?;
    Ok(events)
}

/// Reads by the shorter way where there is one.
pub fn borrowed(reader: &mut dyn StreamIn, frames: &[Frame]) -> Result<Read> {
    let mut read = Read { events: Vec::new(), borrowed: 0 };
    for (name, data) in frames {
        match reader.delta(name.as_deref(), data) {
            Some(delta) => {
                read.borrowed += 1;
                read.events.push(delta.event());
                read.events.extend(delta.usage.map(Event::Usage));
            }
            None => reader.feed(name.as_deref(), data, &mut read.events)?,
        }
    }
    reader.end(&mut read.events)?;
    Ok(read)
}

/// What the events become.
pub fn written(writer: &mut dyn StreamOut, events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.emit(event, &mut out));
    out
}

/// What a stream becomes as the proxy relays it. An error of the vendor's ends it.
pub fn relayed(reader: &mut dyn StreamIn, writer: &mut dyn StreamOut, frames: &[Frame]) -> Result<Vec<u8>> {
    let (mut out, mut events) = (Vec::new(), Vec::new());
    for (name, data) in frames {
        if let Some(delta) = reader.delta(name.as_deref(), data) {
            writer.delta(&delta, &mut out);
            delta.usage.iter().for_each(|usage| writer.emit(&Event::Usage(*usage), &mut out));
            continue;
        }
        reader.feed(name.as_deref(), data, &mut events)?;
        events.drain(..).for_each(|event| writer.emit(&event, &mut out));
    }
    reader.end(&mut events)?;
    events.drain(..).for_each(|event| writer.emit(&event, &mut out));
    Ok(out)
}
